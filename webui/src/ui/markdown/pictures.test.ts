import { expect, test } from 'vitest';
import { fileSource, pictureSource } from './pictures';

const id = '0f3e2d1c-0000-4000-8000-00000000abcd';
const home = { sessionId: 'S' };
const of = (href: string) => pictureSource(href, home);

test('attachments are shown, wherever the page lies', () => {
  for (const lead of ['/', '', '../', './', '../../']) {
    expect(of(`${lead}v1/attachments/${id}`)).toBe(`attachments/${id}`);
  }
  for (const odd of [`/v1/attachments/${id}/x`, `/v1/attachments/${id}?x`, '/v1/attachments/me', `/x/v1/attachments/${id}`]) {
    expect(of(odd)).toBe('');
  }
});

test('files of the work folder are shown by their path, or by the route that has them', () => {
  expect(of('plots/one%20two.png')).toBe('workdir/download?session_id=S&path=plots%2Fone+two.png');
  expect(of('./plot.PNG')).toBe('workdir/download?session_id=S&path=plot.PNG');
  expect(of('/v1/workdir/download?session_id=T&path=a.jpeg&x=1'))
    .toBe('workdir/download?session_id=T&path=a.jpeg');
  expect(of('/v1/workdir/download?path=a.webp')).toBe('workdir/download?path=a.webp');
  expect(pictureSource('plot.png', { sessionId: null })).toBe('');
});

test('nothing from elsewhere is, and nothing that is no picture', () => {
  for (const foreign of [
    'https://example.invalid/p.png', '//example.invalid/p.png', 'data:image/png;base64,AA==',
    'javascript:alert(1).png', 'http:p.png', '\\\\example.invalid\\p.png', 'a.png?x', 'a.svg', 'a.html',
    '../a.png', 'a/../../b.png', 'a/%2e%2e/b.png', '/v1/workdir/download?path=../a.png',
    '/v1/workdir/delete?path=a.png', '/v1/sessions', '', '%E0%A4%A.svg',
  ]) expect(of(foreign), foreign).toBe('');
});

test('links to files of the work folder lead to them, as programs name them, too', () => {
  const link = (href: string) => fileSource(href, home);
  const report = 'workdir/download?session_id=S&path=out%2Freport.csv';
  for (const href of ['out/report.csv', './out/report.csv', '/work/out/report.csv', 'sandbox:/work/out/report.csv',
    'file:///work/out/report.csv', 'out%2Freport.csv']) expect(link(href), href).toBe(report);
  expect(link(`../v1/attachments/${id}`)).toBe(`attachments/${id}`);
  for (const other of ['https://a.test/report.csv', '//a.test/x', 'mailto:a@b.c', '#part', '?q', '../x', 'a/', '',
    'javascript:alert(1)', 'JAVASCRIPT:x', 'sandbox:/etc/passwd', 'file:///etc/passwd', '/work/../etc/passwd',
  ]) expect(link(other), other).toBe('');
  expect(fileSource('report.csv', { sessionId: null })).toBe('');
});
