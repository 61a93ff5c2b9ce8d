// What the tests of the settings' Models tab do over and over.
// A refusal shows in the console, whatever the page makes of it.
export const refused = (...statuses) => (text) =>
  statuses.some((status) => text.includes(`status of ${status} `));

export async function openModels(page) {
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  await page.getByRole('tab', { name: 'Models' }).waitFor();
  await page.getByRole('heading', { name: 'Profiles', exact: true }).waitFor();
  return page.locator('dialog.settings');
}

export const card = (page, name) => page.locator(`[data-profile="${name}"]`);
export const field = (page, name) => page.getByLabel(name, { exact: true });
export const save = (page) => page.getByRole('button', { name: 'Save', exact: true }).click();
export const saveAndTest = (page) => page.getByRole('button', { name: 'Save and test' }).click();

export function addProfile(server, name, more = {}) {
  return server.api('model-profiles', {
    method: 'POST',
    body: { name, model: 'rehearsal', base_url: server.providerOrigin, provider: 'second', ...more },
  });
}

export async function fillNew(page, { name, address, model }) {
  await page.getByRole('button', { name: 'Add a profile' }).click();
  await field(page, 'Name').fill(name);
  await field(page, 'Base URL').fill(address);
  await field(page, 'Model').fill(model);
}
