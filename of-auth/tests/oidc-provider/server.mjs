// An OpenID provider for the tests: npm's oidc-provider with its development pages for login and consent.
//
//   node server.mjs <node_modules> <id_token|userinfo> <client id> <client secret> <redirect uri>
//
// It prints "issuer <address>" when it answers. Everybody may sign in under any name; all are developers.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [modules, place, clientId, clientSecret, redirectUri] = process.argv.slice(2);
const folder = join(modules, 'oidc-provider');
const { main } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const { default: Provider } = await import(pathToFileURL(join(folder, main)));

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: clientId,
    client_secret: clientSecret,
    redirect_uris: [redirectUri],
    response_types: ['code'],
    grant_types: ['authorization_code'],
  }],
  claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
  // The standard's way leaves such claims to the user information; many providers put them into the ID token.
  conformIdTokenClaims: place === 'userinfo',
  pkce: { required: () => true },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: `subject-of-${id}`, preferred_username: id, groups: ['developers', 'everybody'] }),
  }),
  cookies: { keys: ['for the tests alone'] },
});
server.on('request', provider.callback());
console.log(`issuer ${issuer}`);
