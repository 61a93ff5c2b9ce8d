import { beforeAll, beforeEach, expect, test } from 'vitest';
import { fakePage } from '../testing/fake_page';

let settings: typeof import('./settings');
let account: typeof import('./account');

beforeAll(async () => {
  fakePage();
  settings = await import('./settings');
  account = await import('./account');
});

beforeEach(() => (settings.settingsWish.value = null));

const identity = (role: 'admin' | 'user') => ({ tenant_id: 't', user_id: 'u', role });

test('models and keys are an admin’s: nobody else is shown their tabs, or led to them', () => {
  account.account.value = identity('user');
  expect(settings.settingsTabs.value.map((tab) => tab.id)).toEqual(['appearance', 'speech', 'about']);
  settings.openSettings();
  expect(settings.settingsWish.value).toEqual({ tab: 'appearance' });

  account.account.value = identity('admin');
  expect(settings.settingsTabs.value.map((tab) => tab.id)).toEqual(['models', 'tools', 'keys', 'appearance', 'speech', 'about']);
  settings.openSettings({ profile: 'default' });
  expect(settings.settingsWish.value).toEqual({ tab: 'models', profile: 'default' });

  account.account.value = 'signed_out';
  expect(settings.settingsTabs.value).toEqual([]);
});
