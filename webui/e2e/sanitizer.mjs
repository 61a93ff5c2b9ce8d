// The units render Markdown without a document; here the sanitizer itself is asked, in a browser.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { Reader } from './browser.mjs';

async function bundled() {
  const [{ output }] = await build({
    configFile: false, logLevel: 'silent',
    build: {
      write: false,
      lib: {
        entry: fileURLToPath(new URL('../src/ui/markdown/sanitize.ts', import.meta.url)),
        formats: ['iife'], name: 'tested',
      },
    },
  });
  return output[0].code;
}

const id = '0f3e2d1c-0000-4000-8000-00000000abcd';

/** What comes of each, by what a browser makes of it. */
const attacks = [
  '<img src=x onerror="hit()">', '<svg onload="hit()"></svg>', '<script>hit()</script>', '<iframe srcdoc="<script>parent.hit()</script>"></iframe>',
  '<a href="javascript:hit()">x</a>', '<a href="java\nscript:hit()">x</a>', '<a href="data:text/html,<script>hit()</script>">x</a>', '<a href="vbscript:x">x</a>',
  '<form action="/v1/auth/logout"><button>x</button></form>', '<input onfocus="hit()" autofocus>', '<details ontoggle="hit()" open>x</details>',
  '<style>*{background:url(https://evil.invalid)}</style>', '<p style="background:url(https://evil.invalid/x)">x</p>', '<link rel=stylesheet href=//evil.invalid>',
  '<img src="https://evil.invalid/p.png">', '<img src="//evil.invalid/p.png">', '<img srcset="https://evil.invalid/p.png 1x">', '<video src="https://evil.invalid/v"></video>',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=hit()&gt;">', '<svg><style><img src=x onerror=hit()></style></svg>',
  '<noscript><p title="</noscript><img src=x onerror=hit()>">', '<base href="https://evil.invalid/">', '<meta http-equiv=refresh content="0;url=//evil.invalid">',
  '<object data="data:text/html,x"></object>', '<template><img src=x onerror=hit()></template>', '<p id="app">x</p><p name="cookie">x</p>', '<div class="shell toast">x</div>',
  '<a href="https://a.test" target="_self" rel="opener">x</a>', '<a href="https://a.test" onclick="hit()" download>x</a>',
];

export const sanitizerTests = [
  {
    name: 'sanitizer: what could run, load, style or send is taken out; what formats stays',
    async run({ browser, server }) {
      const reader = await Reader.open(browser, server);
      const page = await reader.page();
      await page.evaluate(() => (globalThis.hit = () => (globalThis.wasHit = true)));
      await page.evaluate(await bundled().then((code) => `${code}; globalThis.tested = tested`));
      const asked = reader.urls.length;
      const wrong = await page.evaluate(async ([all, base]) => {
        const allowed = new Set(['href', 'title', 'align', 'start', 'class', 'target', 'rel', 'src', 'alt', 'loading']);
        const found = [];
        for (const html of all) {
          const box = document.body.appendChild(document.createElement('div'));
          box.innerHTML = globalThis.tested.sanitize(html);
          for (const element of box.querySelectorAll('*')) {
            const names = [...element.attributes].map(({ name }) => name);
            const bad = names.filter((name) => !allowed.has(name));
            if (bad.length) found.push(`${html}: ${bad}`);
            if (/^(script|style|svg|math|iframe|form|input|button|object|video|link|meta|base|template)$/i.test(element.tagName)) found.push(`${html}: ${element.tagName}`);
            if (element.href && !/^(https?|mailto):/.test(element.href)) found.push(`${html}: ${element.href}`);
            if (element.src && !element.src.startsWith(base)) found.push(`${html}: ${element.src}`);
            if (element.tagName === 'A' && (element.target !== '_blank' || !element.rel.includes('noopener'))) found.push(`${html}: opens as ${element.target} ${element.rel}`);
            if (element.className && !/^(language-|task$|math)/.test(element.className)) found.push(`${html}: ${element.className}`);
          }
        }
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        if (globalThis.wasHit) found.push('something ran');
        return found;
      }, [attacks, `${server.origin}/v1/`]);
      assert.deepEqual(wrong, []);
      assert.deepEqual(reader.urls.slice(asked).filter((url) => url.includes('evil')), []);

      const kept = '<h1>a</h1><p><strong>b</strong> <em>c</em> <code class="math">d</code></p><ol start="3"><li>e</li></ol>' +
        '<table><tbody><tr><td align="right">1</td></tr></tbody></table>';
      assert.equal(await page.evaluate((html) => globalThis.tested.sanitize(html), kept), kept);
      const own = await page.evaluate((src) => globalThis.tested.sanitize(`<img src="${src}" alt="x">`),
        `${server.origin}/v1/attachments/${id}`);
      assert.match(own, /<img src="[^"]+" alt="x" loading="lazy">/);
    },
  },
];
