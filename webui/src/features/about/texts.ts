import { count, words } from '../../kernel/texts/language';

/** Of the server and the page. */
export const texts = words({
  what: 'Sessions with language-model agents, each an append-only log of events.',
  server: 'Server',
  page: 'Page',
  up: 'Up for',
  status: 'Status',
  profiles: 'Model profiles',
  components: 'Components',
  states: { ok: 'up', degraded: 'degraded', down: 'down' },
  uptime: (seconds: number) => {
    const days = Math.floor(seconds / 86_400);
    const hours = Math.floor((seconds % 86_400) / 3_600);
    const minutes = Math.floor((seconds % 3_600) / 60);
    return [
      days > 0 ? count(days, 'day', 'days') : '',
      hours > 0 ? count(hours, 'hour', 'hours') : '',
      count(minutes, 'minute', 'minutes'),
    ].filter(Boolean).join(', ');
  },
});
