import './icon.css';
const paths = {
  plus: 'M12 5v14M5 12h14',
  send: 'M12 19V5.5M5.5 11.5 12 5l6.5 6.5',
  menu: 'M4 7h16M4 12h16M4 17h10',
  close: 'm6 6 12 12M18 6 6 18',
  pencil: 'm4 20 1-4L16.5 4.5a2.1 2.1 0 0 1 3 3L8 19zM14.5 6.5l3 3',
  trash: 'M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 13h9l1-13M10.3 11v5M13.7 11v5',
  copy: 'M9 9h10v11H9zM5.5 15H5V4h10v1.5',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  retry: 'M19.5 12a7.5 7.5 0 1 1-2.2-5.3L19.5 9M19.5 4.5V9H15',
  pause: 'M8.5 5.5v13M15.5 5.5v13',
  play: 'M8 5.5v13l10.5-6.5z',
  chevron: 'm9 6 6 6-6 6',
  down: 'M12 5v13.5M5.5 12.5 12 19l6.5-6.5',
  tool: 'M14.5 6.5a4 4 0 0 0 5 5L12 19a2.5 2.5 0 0 1-3.5-3.5L16 8',
  alert: 'M12 8.5v4.5M12 16.3v.2M12 3.5 21.5 20h-19z',
  leave: 'M10 4.5H5v15h5M14 8l4 4-4 4M18 12H9.5',
  sliders: 'M4 7.5h8.5M17.5 7.5H20M4 16.5h2.5M11.5 16.5H20M15 5v5M9 14v5',
  back: 'm14.5 6-6 6 6 6',
  pulse: 'M3.5 12h4l2.7-6.5 4 13 2.6-6.5h3.7',
  search: 'm15.5 15.5 4.5 4.5M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13z',
  more: 'M5.5 12h.01M12 12h.01M18.5 12h.01',
  branch: 'M6.5 4v16M6.5 15a8 8 0 0 0 8-8M14.5 7l-3 2.5M14.5 7l2.5 3',
  code: 'm8.5 7.5-5 4.5 5 4.5M15.5 7.5l5 4.5-5 4.5',
  speaker: 'M4 9.5v5h3.5L12 19V5L7.5 9.5zM15.5 9a4.5 4.5 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11',
  book: 'M5 4.5h11a3 3 0 0 1 3 3v12H8a3 3 0 0 1-3-3zM5 16.5a3 3 0 0 1 3-3h11M9 8.5h6',
  layers: 'm12 3.5 8.5 4.5-8.5 4.5L3.5 8zM3.5 12.5 12 17l8.5-4.5M3.5 16.5 12 21l8.5-4.5',
  swap: 'M4 8.5h14M14.5 5 18 8.5 14.5 12M20 15.5H6M9.5 12 6 15.5 9.5 19',
  wrap: 'M4 6.5h16M4 12h13a3 3 0 0 1 0 6h-4M15 15.5 12.5 18l2.5 2.5M4 18h4',
  download: 'M12 4v11M7 10.5l5 5 5-5M4.5 20h15',
  upload: 'M12 16V5M7 9.5l5-5 5 5M4.5 20h15',
  file: 'M6.5 3.5h7l4 4v13h-11zM13.5 3.5v4h4',
  clip: 'm19 11-7.5 7.5a4.6 4.6 0 0 1-6.5-6.5l8-8a3 3 0 0 1 4.3 4.3l-8 8a1.4 1.4 0 0 1-2-2L14.5 7',
  folder: 'M3.5 6.5h6l2 2.5h9v10h-17z',
  thumbUp: 'M7.5 20V10.5L12 3.5a2 2 0 0 1 2 2.3l-.6 3.7h5a2 2 0 0 1 2 2.4l-1.3 6.5a2 2 0 0 1-2 1.6zM7.5 10.5H4V20h3.5',
  thumbDown: 'M16.5 4v9.5L12 20.5a2 2 0 0 1-2-2.3l.6-3.7h-5a2 2 0 0 1-2-2.4l1.3-6.5a2 2 0 0 1 2-1.6zM16.5 13.5H20V4h-3.5',
  mic: 'M12 3.5a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0v-5a3 3 0 0 1 3-3zM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3',
  memory: 'M7 4.5h10v15l-5-3.6-5 3.6z',
  lock: 'M6.5 11h11v9h-11zM9 11V8a3 3 0 0 1 6 0v3',
  pin: 'M9 4.5h6l-.7 5 3.2 3.5h-11l3.2-3.5zM12 13v6.5',
  people: 'M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 19.5a6.5 6.5 0 0 1 13 0M15.5 4.8a3.5 3.5 0 0 1 0 6.4M17.5 14a6.5 6.5 0 0 1 4 5.5',
  shield: 'M12 3.5 19 6v6c0 4.2-3 7-7 8.5C8 19 5 16.2 5 12V6zM9 12l2.2 2.2L15.2 10',
  clock: 'M12 7.5V12l3 2M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17z',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class={name === 'more' ? 'icon more' : 'icon'} viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}

export function StopIcon() {
  return (
    <svg class="icon solid" viewBox="0 0 24 24" aria-hidden="true">
      <rect x="6.5" y="6.5" width="11" height="11" rx="2" />
    </svg>
  );
}

/** The mark of the product: a cell body, and what reaches out from it. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect class="mark-ground" width="32" height="32" rx="9" />
      <g class="mark-arms">
        <path d="M16 5.8a10.2 10.2 0 0 1 10.2 10.2" />
        <path d="M16 26.2A10.2 10.2 0 0 1 5.8 16" />
      </g>
      <circle class="mark-core" cx="16" cy="16" r="4.6" />
      <circle class="mark-end" cx="8.6" cy="8.6" r="1.9" />
      <circle class="mark-end" cx="23.4" cy="23.4" r="1.9" />
    </svg>
  );
}
