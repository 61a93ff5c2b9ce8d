// What the routes of OpenAI's face share: reading a body, finding its model, judging the lock,
// sending a stream. On the io thread of the request.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "app/aside.hpp"
#include "app/model_calls.hpp"
#include "http/routes/gateway.hpp"

namespace soma::http {

// A larger body is read on the longer lane: parsing takes some milliseconds a megabyte.
inline constexpr std::size_t openai_inline_bytes_max = 256 * 1024;

// Errors: request.unsupported_media_type, request.malformed_json, request.invalid.
boost::asio::awaitable<result<boost::json::object>> take_openai_body(gateway& g,
                                                                     request_context& ctx);

// The call to the model that the body names. Errors: those of `app::prepare_call_to`.
result<app::prepared_call> begin_openai_call(gateway& g, request_context& ctx,
                                             const boost::json::object& body);

// `model`, and what says whether and how to stream. Errors: request.invalid.
struct openai_asked {
  std::string id, model;
  std::uint64_t created_s = 0;
  bool streamed = false, wants_usage = false;
};
result<openai_asked> read_openai_asked(const boost::json::object& body, std::string_view id_prefix);

// Runs `work`, which gives a result, here, or on the longer lane where a body as large as the
// request's would hold this thread up: not among the single rows that every request waits for.
template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> for_size(gateway& g, const request_context& ctx,
                                                             Work work) {
  using answer = std::invoke_result_t<Work&>;
  static_assert(std::is_constructible_v<answer, error>);  // the lane is full
  if (ctx.body.size() <= openai_inline_bytes_max) co_return work();
  struct job {
    explicit job(Work w) : work(std::move(w)) {}
    Work work;
    std::optional<answer> said;
  };
  auto kept = std::make_shared<job>(std::move(work));
  std::function<result<void>()> run = [kept] {
    kept->said.emplace(kept->work());
    return result<void>();
  };
  auto done = co_await app::run_aside(g.services, ctx.caller.tenant, std::move(run));
  if (!done) co_return done.error();
  co_return std::move(*kept->said);
}

// A failure of a call, as the face tells it: what a provider refused with 404 is a model that it
// does not have.
error openai_error_of(const llm::stream_end& how);

// How an answer is written; one of these an answer, used from its begin to its end.
struct openai_writer {
  std::function<std::string()> begin;                                   // may be null
  std::function<std::string(const models::model_stream::item&)> piece;  // of an item without an end
  std::function<std::string(llm::stream_end&)> end;                     // also of an error
  std::function<std::string(models::model_stream::whole&)> whole;       // of a good end
};

// Starts the call and answers: an error as it is, else a stream or the whole.
boost::asio::awaitable<response> answer_openai(gateway& g, request_context& ctx,
                                               app::prepared_call begun, bool raw, bool streamed,
                                               std::shared_ptr<openai_writer> writer);

// The frame of an event as it came; what was given over several lines stays so.
std::string raw_frame(std::string_view data, std::string_view event = {});

// A POST of the face, whose body may have llm.request_bytes_max bytes.
void add_openai_post(router& routes, gateway& g, std::string pattern, std::string operation_id,
                     boost::asio::awaitable<response> (*run)(gateway&, request_context&));

void add_responses_routes(router& routes, gateway& g);  // POST /v1/responses

}  // namespace soma::http
