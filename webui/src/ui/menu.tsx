import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './icon';
import './menu.css';

export interface MenuItem {
  readonly label: string;
  readonly icon: IconName;
  readonly run: () => void;
  readonly danger?: boolean;
  readonly hint?: string;
}

interface Props {
  label: string;
  items: readonly MenuItem[];
  icon?: IconName;
  small?: boolean;
}

/** Room that a menu wants below its button; with less it opens upwards. */
const roomPx = 320;

/** A button with a menu of actions, worked by pointer or keys. */
export function Menu({ label, items, icon = 'more', small = false }: Props) {
  const [open, setOpen] = useState<'down' | 'up' | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  const show = () => {
    const { bottom = 0, top = 0 } = button.current?.getBoundingClientRect() ?? {};
    setOpen(innerHeight - bottom < roomPx && top > innerHeight - bottom ? 'up' : 'down');
  };
  const close = (focus: boolean) => {
    setOpen(null);
    if (focus) button.current?.focus();
  };

  useLayoutEffect(() => {
    if (open === null) return;
    box.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus({ preventScroll: true });
    const outside = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) close(false);
    };
    window.addEventListener('pointerdown', outside, true);
    return () => window.removeEventListener('pointerdown', outside, true);
  }, [open]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (open === null) return;
    if (event.key === 'Escape' || event.key === 'Tab') {
      if (event.key === 'Escape') event.preventDefault();
      event.stopPropagation();
      return close(event.key === 'Escape');
    }
    const all = [...(box.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    all[(to + all.length) % all.length]?.focus();
  };

  return (
    <div class="menu" ref={box} onKeyDown={onKeyDown}>
      <button ref={button} type="button" class={small ? 'quiet small' : 'quiet'} aria-label={label}
        title={label} aria-haspopup="menu" aria-expanded={open !== null}
        onClick={() => (open === null ? show() : close(true))}>
        <Icon name={icon} />
      </button>
      {open !== null && (
        <div class={`menu-list ${open}`} role="menu" aria-label={label}>
          {items.map((item) => (
            <button key={item.label} type="button" role="menuitem" tabIndex={-1}
              class={item.danger ? 'danger-text' : ''} title={item.hint}
              onClick={() => { close(true); item.run(); }}>
              <Icon name={item.icon} /><span>{item.label}</span>
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
