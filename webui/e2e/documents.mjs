// Documents for tests of what is known.

export const handbook = `# Handbook

Whoever opens the office switches off the alarm within thirty seconds; the code is with the reception.

## Keys

The spare key of the server room hangs in the blue cabinet. It is signed out in the book beside it, and brought
back on the same day. ${'Keys that are lost are told of at once, so that the lock can be changed. '.repeat(4)}

## Deliveries

Parcels go to the loading dock until four; after that the neighbours at number 14 take them. ${'What is cold is brought to the kitchen. '.repeat(8)}
`;

/** Uploads a Markdown file; answers its attachment. */
export async function addDocument(server, name, text) {
  const form = new FormData();
  form.append('file', new Blob([text], { type: 'text/markdown' }), name);
  const answer = await fetch(`${server.origin}/v1/uploads`, {
    method: 'POST', headers: { Authorization: `Bearer ${server.adminKey}` }, body: form,
  });
  if (!answer.ok) throw new Error(`upload: ${answer.status} ${await answer.text()}`);
  return (await answer.json())[0];
}
