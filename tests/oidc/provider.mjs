// The npm oidc-provider as it comes, with its own sign-in pages, which take any name and password.
// PORT, PAGE (of the server that signs in by it), and perhaps CLIENT_SECRET. Users whose name begins
// with "admin" are in the group soma-admins; everybody is in staff.
import { Provider } from 'oidc-provider';

const { PORT, PAGE, CLIENT_SECRET, ALG = 'ES256' } = process.env;
const provider = new Provider(`http://localhost:${PORT}`, {
  clients: [{
    client_id: 'soma',
    ...(CLIENT_SECRET ? { client_secret: CLIENT_SECRET } : { token_endpoint_auth_method: 'none' }),
    grant_types: ['authorization_code', 'refresh_token'],
    id_token_signed_response_alg: ALG,
    redirect_uris: [`${PAGE}/v1/auth/oidc/callback`],
    post_logout_redirect_uris: [`${PAGE}/ui/index.html`],
    backchannel_logout_uri: `${PAGE}/v1/auth/oidc/backchannel-logout`,
    backchannel_logout_session_required: true,
  }],
  jwks: { keys: await keys() },
  claims: { openid: ['sub', 'groups'] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, groups: id.startsWith('admin') ? ['staff', 'soma-admins'] : ['staff'] }),
  }),
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
  features: { backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  // By itself it calls nothing on loopback, where this server is.
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
});
provider.listen(PORT, '127.0.0.1', () => console.log('listening'));

async function keys() {
  const { exportJWK, generateKeyPair } = await import('jose');
  return Promise.all(['RS256', 'ES256', 'Ed25519'].map(async (alg) => {
    const { privateKey } = await generateKeyPair(alg, { extractable: true });
    return { ...(await exportJWK(privateKey)), use: 'sig', kid: alg };
  }));
}
