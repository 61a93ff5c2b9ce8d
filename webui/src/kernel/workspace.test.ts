import { beforeEach, expect, test, vi } from 'vitest';
import { fakePage } from '../testing/fake_page';

let page: ReturnType<typeof fakePage>;
let workspace: import('./workspace').Workspace;

beforeEach(async () => {
  page = fakePage();
  vi.resetModules();
  const { Workspace } = await import('./workspace');
  workspace = new Workspace({ tenant_id: 't', user_id: 'a', role: 'user' });
});

test('workspace: a part is made once, when it is first asked for', () => {
  let made = 0;
  class One {
    constructor() {
      made++;
    }
  }
  expect(made).toBe(0);
  expect(workspace.of(One)).toBe(workspace.of(One));
  expect(made).toBe(1);
});

test('workspace: what it ends goes in the order in which it can: what needs another goes before it', () => {
  const ended: string[] = [];
  class Below {
    dispose() {
      ended.push('below');
    }
  }
  class Above {
    constructor(own: typeof workspace) {
      own.of(Below);
      own.onEnd(() => ended.push(`listeners, aborted: ${own.ended.aborted}`));
    }
    dispose() {
      ended.push('above');
    }
  }
  workspace.of(Above);
  workspace.dispose();
  workspace.dispose();
  expect(ended).toEqual(['listeners, aborted: true', 'above', 'below']);
});

test('workspace: after its end nothing of it listens or runs', () => {
  const heard: string[] = [];
  window.addEventListener('storage', () => heard.push('storage'), { signal: workspace.ended });
  workspace.effect(() => void heard.push(`live ${workspace.isLive.value}`));
  workspace.dispose();
  page.window.dispatchEvent(new Event('storage'));
  workspace.isLive.value = false;
  workspace.effect(() => void heard.push('too late'));
  expect(heard).toEqual(['live true']);
});

test('workspace: parts that need each other to be made are a fault that is told', () => {
  class One {
    constructor(own: typeof workspace) {
      own.of(One);
    }
  }
  expect(() => workspace.of(One)).toThrow('One needs itself to be made');
});
