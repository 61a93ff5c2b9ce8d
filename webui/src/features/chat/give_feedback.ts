import { newKey } from '../../kernel/api/new_key';
import { request } from '../../kernel/api/http';
import type { Feedback, Rating } from '../../kernel/session/state';

/** What may be ticked beside a rating; the texts name them. */
export const feedbackTags: Readonly<Record<Rating, readonly string[]>> = {
  helpful: ['correct', 'clear', 'complete', 'creative'],
  not_helpful: ['wrong', 'incomplete', 'unclear', 'too_long', 'off_topic', 'tools'],
};

export const commentCharsMax = 4_000;

/** The event that follows tells every tab. */
export function giveFeedback(sessionId: string, messageId: string, said: Feedback): Promise<unknown> {
  const { rating, tags, comment } = said;
  return request('feedback', {
    method: 'POST',
    idempotencyKey: newKey(),
    body: {
      session_id: sessionId, message_id: messageId, rating,
      ...(tags.length > 0 ? { tags } : {}), ...(comment !== '' ? { comment } : {}),
    },
  });
}
