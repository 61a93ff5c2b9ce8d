import { expect, vi } from 'vitest';

export interface Asked {
  readonly what: string;
  readonly init: RequestInit;
  readonly answer: (body: unknown, status?: number, etag?: string) => void;
}

/** The API of a fake page whose answers the test gives; for tests with fake timers. */
export class FakeApi {
  /** `GET memories?limit=50`, in the order in which they were asked, until they are taken by `next`. */
  readonly asked: Asked[] = [];

  constructor() {
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => new Promise((done) => this.asked.push({
      what: `${init.method ?? 'GET'} ${new URL(url).pathname.replace('/sub/v1/', '')}${new URL(url).search}`, init,
      answer: (body, status = 200, etag = '') => done(new Response(status === 204 ? null : JSON.stringify(body), {
        status, headers: { 'Content-Type': 'application/json', ...(etag ? { ETag: etag } : {}) },
      })),
    })));
  }

  async next(what: RegExp): Promise<Asked> {
    await vi.advanceTimersByTimeAsync(0);
    const request = this.asked.shift();
    expect(request?.what).toMatch(what);
    return request as Asked;
  }

  async answer(what: RegExp, body: unknown, status = 200, etag = ''): Promise<void> {
    (await this.next(what)).answer(body, status, etag);
    await vi.advanceTimersByTimeAsync(0);
  }
}
