// Measures the page in Chromium; no test, since a busy machine is no fault of the page:
//   SOMA_BIN=… SOMA_REHEARSAL_BIN=… node e2e/measure.mjs [word of a figure's name]
import { launch, Reader, send, waitForConnection } from './browser.mjs';
import { importSession, makeSessions } from './sessions.mjs';
import { Server } from './server.mjs';
import { startProvider } from './provider.mjs';
import { until } from './wait.mjs';

const quantile = (values, q) => [...values].sort((a, b) => a - b)[Math.floor(q * (values.length - 1))];
const round = (n) => Math.round(n * 10) / 10;

/** Frames from now until `stop`, as the browser draws them. */
const countFrames = (page) => page.evaluate(() => {
  const times = [];
  let going = true;
  const tick = (now) => {
    times.push(now);
    if (going) requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
  globalThis.stopFrames = () => {
    going = false;
    const gaps = times.slice(1).map((t, i) => t - times[i]);
    return { seconds: (times.at(-1) - times[0]) / 1000, gaps };
  };
});

/** Whether it gets slower as it gets longer. */
function fifths(gaps) {
  const whole = gaps.reduce((sum, gap) => sum + gap, 0);
  const counts = [0, 0, 0, 0, 0];
  let at = 0;
  for (const gap of gaps) counts[Math.min(4, Math.floor((5 * (at += gap)) / whole))]++;
  return counts.map((count) => round((5_000 * count) / whole));
}

async function frames(page, work) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable');
  const spent = async () => {
    const { metrics } = await cdp.send('Performance.getMetrics');
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  };
  const before = await spent();
  await countFrames(page);
  await work();
  const { seconds, gaps } = await page.evaluate(() => globalThis.stopFrames());
  const after = await spent();
  return {
    'frames a second': round(gaps.length / seconds),
    'frame p50, ms': round(quantile(gaps, 0.5)),
    'frame p99, ms': round(quantile(gaps, 0.99)),
    'longest frame, ms': round(Math.max(...gaps)),
    'frames over 50 ms': gaps.filter((gap) => gap > 50).length,
    'frames a second, by fifths of the time': fifths(gaps).join(' '),
    seconds: round(seconds),
    'of these busy, s': round(after.TaskDuration - before.TaskDuration),
    'script, s': round(after.ScriptDuration - before.ScriptDuration),
    'layout and style, s': round(after.LayoutDuration + after.RecalcStyleDuration -
      before.LayoutDuration - before.RecalcStyleDuration),
  };
}

/** 200 KB of the Markdown that models write. */
function longAnswer() {
  const part = (i) => `## Part ${i}\n\nThis is **paragraph ${i}** with \`code\`, a [link](https://example.invalid/) ` +
    'and enough words to go over several lines, as an answer does that explains something at length.\n\n' +
    `- first of ${i}\n- second of ${i}\n\n| a | b |\n|--|--:|\n| ${i} | ${i * i} |\n\n` +
    `\`\`\`python\ndef part_${i}(x):\n    return x + ${i}\n\`\`\`\n\n`;
  let text = '';
  for (let i = 1; text.length < 200_000; i++) text += part(i);
  return `${text.slice(0, 200_000)}\n\nThe end.`;
}

const figures = {
  async 'a 200 KB answer'({ browser }) {
    const text = longAnswer();
    const provider = await startProvider(() => ({ text, pieceChars: 40, delayMs: 4 }));
    const server = await Server.start({ provider });
    try {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await waitForConnection(page, 'connected');
      return await frames(page, async () => {
        await send(page, 'At length, please.');
        // By its mark alone: looking for words would read all of the text at every frame.
        await page.locator('.turn[data-status=done]').waitFor({ timeout: 300_000 });
      });
    } finally {
      await server.close();
      provider.close();
    }
  },
  async 'opening 2,000 messages'({ browser, server }) {
    const reader = await (await Reader.open(browser, server)).signIn();
    const id = await importSession(server, 1_000, { title: 'Long' });
    await makeSessions(server, 1);
    const page = await reader.page();
    await page.locator('.row', { hasText: 'Long' }).waitFor();
    const times = [];
    for (let i = 0; i < 9; i++) {
      times.push(await page.evaluate((id) => new Promise((done) => {
        const from = performance.now();
        const look = () => {
          if (document.body.innerText.includes('Answer 1000')) {
            // Painted, not only put there.
            requestAnimationFrame(() => setTimeout(() => done(performance.now() - from)));
          } else requestAnimationFrame(look);
        };
        look();
        location.hash = `#s=${id}`;
      }), id));
      await page.evaluate(() => (location.hash = '#new'));
      await page.getByText('What shall we work on?').waitFor();
    }
    return { 'p50, ms': round(quantile(times, 0.5)), 'longest, ms': round(Math.max(...times)) };
  },
  async 'the list of 10,000 chats'({ browser, server }) {
    const reader = await (await Reader.open(browser, server)).signIn();
    await makeSessions(server, 10_000);
    const page = await reader.page();
    await page.locator('.row', { hasText: 'Session 10000' }).waitFor();
    const list = page.locator('.chats');
    await until('all are read', async () => {
      await list.evaluate((box) => (box.scrollTop = box.scrollHeight));
      return page.getByText('Session 1', { exact: true }).isVisible();
    }, 300_000);
    const scrolling = await frames(page, () => list.evaluate(async (box) => {
      const step = box.scrollHeight / 180;
      for (let i = 180; i >= 0; i--) {
        box.scrollTop = i * step;
        await new Promise((next) => requestAnimationFrame(next));
      }
    }));
    const typing = await frames(page, async () => {
      await page.getByLabel('Search chats').pressSequentially('session 99', { delay: 60 });
    });
    return { ...scrolling, 'searching, longest frame, ms': typing['longest frame, ms'] };
  },
  async 'first words of an answer'({ browser, server }) {
    const reader = await (await Reader.open(browser, server)).signIn();
    const page = await reader.page();
    await waitForConnection(page, 'connected');
    const times = [];
    for (let i = 0; i < 20; i++) {
      await page.getByRole('textbox', { name: 'Message' }).fill('Say something. [[rehearsal words=12]]');
      const from = page.evaluate((count) => new Promise((done) => {
        const from = performance.now();
        const look = () => {
          const proses = document.querySelectorAll('.turn .prose');
          if (proses.length > count && proses[count].textContent.trim() !== '') {
            requestAnimationFrame(() => setTimeout(() => done(performance.now() - from)));
          } else requestAnimationFrame(look);
        };
        document.querySelector('.composer').requestSubmit();
        look();
      }), i);
      times.push(await from);
      await until('it is answered', async () =>
        (await page.locator('.turn[data-status=done]').count()) === i + 1);
    }
    return { 'p50, ms': round(quantile(times, 0.5)), 'p95, ms': round(quantile(times, 0.95)) };
  },
};

const wanted = process.argv[2] ?? '';
const browser = await launch();
for (const [name, measure] of Object.entries(figures)) {
  if (!name.includes(wanted)) continue;
  const server = await Server.start();
  try {
    console.log(name, await measure({ browser, server }));
  } finally {
    for (const context of browser.contexts()) await context.close();
    await server.close();
  }
}
await browser.close();
