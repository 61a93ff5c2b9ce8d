#include "llm/provider_stream.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <utility>

#include "core/codes.hpp"
#include "core/json_bounds.hpp"
#include "core/time.hpp"
#include "llm/provider_error.hpp"
#include "llm/wire.hpp"

namespace soma::llm {

namespace asio = boost::asio;
namespace json = boost::json;
using clock = std::chrono::steady_clock;

namespace {

// The rest of a good answer is waited for so long before its connection is given up.
constexpr std::uint32_t drain_ms = 1000;

// A value put into a header must not end its line.
std::string header_line(std::string_view name, std::string_view value) {
  if (value.empty() || value.find_first_of("\r\n") != value.npos) return {};
  return std::string(name) + ": " + std::string(value) + "\r\n";
}

// Whether the body that a caller gave asks for a stream.
bool wants_stream(const call& c) {
  boost::system::error_code ec;
  const auto body = json::parse(json::string_view(c.raw_body.data(), c.raw_body.size()), ec);
  const auto* object = ec ? nullptr : body.if_object();
  const auto* stream = object ? object->if_contains("stream") : nullptr;
  return stream && stream->is_bool() && stream->get_bool();
}

// A completion as the one chunk of a stream.
std::string as_chunk(std::string_view document) {
  boost::system::error_code ec;
  auto value = parse_foreign_json(document, ec);
  auto* object = ec ? nullptr : value.if_object();
  if (object) (*object)["object"] = "chat.completion.chunk";  // before anything in it is pointed at
  auto* choices = object ? object->if_contains("choices") : nullptr;
  if (!choices || !choices->is_array()) return std::string(document);
  for (auto& choice : choices->get_array()) {
    auto* one = choice.if_object();
    auto* message = one ? one->if_contains("message") : nullptr;
    if (!message || !message->is_object()) continue;
    auto delta = message->get_object();
    if (auto* calls = delta.if_contains("tool_calls"); calls && calls->is_array()) {
      std::int64_t n = 0;
      for (auto& call : calls->get_array())
        if (call.is_object()) call.get_object()["index"] = n++;
    }
    one->erase("message");
    (*one)["delta"] = std::move(delta);
  }
  return json::serialize(value);
}

// Several JSON objects, one a line, as Ollama's own API and some proxies send them.
bool is_lines(std::string_view document) {
  const auto end = document.find('\n');
  if (end == document.npos || document.find_first_not_of(" \r\n\t", end) == document.npos)
    return false;
  boost::system::error_code ec;
  return parse_foreign_json(document.substr(0, end), ec).is_object() && !ec;
}

// What may go to public addresses alone takes no connection that was made without that rule.
std::string pool_key(const url_parts& url, const profile& target) {
  return std::string(url.tls ? "https://" : "http://") + url.host + " " + std::to_string(url.port) +
         (target.public_only ? " public" : "");
}

}  // namespace

provider_stream::provider_stream(std::shared_ptr<client_core> core,
                                 std::shared_ptr<const call> asked, stream_sink sink)
    : core_owner_(std::move(core)),
      core_(*core_owner_),
      asked_owner_(std::move(asked)),
      asked_(*asked_owner_),
      url_(split_base_url(asked_.target.base_url)),
      sink_(std::move(sink)),
      watchdog_(core_.io),
      resumed_(core_.io) {}

void provider_stream::start() {
  if (closed_) return;
  auto self = shared_from_this();
  asio::co_spawn(core_.io, drive(self), [self](std::exception_ptr failed) {
    if (failed) self->end_with(codes::internal, "the model client failed", false);
    self->close();
    self->core_.buffers.give_back(std::move(self->buffer_));
  });
}

asio::awaitable<void> provider_stream::drive(std::shared_ptr<provider_stream> self) {
  co_await self->run();
}

asio::awaitable<void> provider_stream::run() {
  connection_ = core_.pool.take(pool_key(url_, asked_.target));
  if (connection_) {
    ++core_.connections_reused;
    const auto how = co_await exchange();
    if (how == attempt::over || closed_) co_return;
    connection_.reset();
  }
  if (!co_await open_connection()) co_return;
  co_await exchange();
}

asio::awaitable<bool> provider_stream::open_connection() {
  expect(phase::connecting, asked_.waits.connect_ms);
  if (url_.tls && !core_.tls_broken.empty()) {
    end_with(codes::llm_unreachable, core_.tls_broken, false);
    co_return false;
  }
  connection_ = std::make_unique<connection>(core_.io, core_.connections_open);
  connection_->key = pool_key(url_, asked_.target);
  const connection::open_options how{core_.tls,  core_.sessions, *core_.names,
                                     core_.home, asked_.tenant,  asked_.target.public_only};
  const auto opened = co_await connection_->open(url_, how);
  if (closed_) co_return false;
  if (!opened.ok) end_with(codes::llm_unreachable, opened.why, true);
  co_return opened.ok;
}

asio::awaitable<provider_stream::attempt> provider_stream::exchange() {
  prepare_reading();
  asked_at_ = clock::now();
  expect(phase::first_token, asked_.waits.first_token_ms);
  {  // the answer may take minutes, and this be megabytes
    const secret_string request = request_text();
    const auto written = co_await connection_->write(request.reveal());
    if (closed_) co_return attempt::over;
    if (written.ec) co_return on_broken_off();
  }
  bool filled = false;  // the buffer, by the last read: there is more
  while (true) {
    co_await while_paused();
    if (closed_) co_return attempt::over;
    if (!filled && crowded()) {
      core_.buffers.give_back(std::move(buffer_));
      co_await connection_->readable();
      if (closed_) co_return attempt::over;
    }
    if (buffer_.empty()) buffer_ = core_.buffers.take();
    const auto into = asio::buffer(buffer_);
    const auto got = co_await connection_->read_some(into);
    co_await while_paused();  // what came in meanwhile waits here
    if (closed_) co_return attempt::over;
    if (got.ec) co_return on_broken_off();
    bytes_read_ += got.bytes;
    const bool http = reader_->feed({buffer_.data(), got.bytes});
    if (!http)
      answer_->fail(
          {std::string(codes::llm_bad_stream), "the provider's answer is not HTTP", true});
    after_bytes();
    if (!http) close();
    filled = got.bytes == buffer_.size();
    if (filled && buffer_.size() < limits::read_bytes_most)
      buffer_ = std::vector<char>(4 * buffer_.size());
    if (closed_ || reader_->done()) break;
  }
  if (!closed_) keep_connection();
  co_return attempt::over;
}

// Where very many answers are under way, none keeps a buffer while its provider says nothing: that
// costs a system call a read, and without it they would take more than all else of an answer.
bool provider_stream::crowded() const {
  return core_.open_streams.load(std::memory_order_relaxed) > limits::read_buffers_held;
}

asio::awaitable<void> provider_stream::while_paused() {
  while (paused_ && !closed_) {
    resumed_.expires_at(clock::time_point::max());
    auto [ec] = co_await resumed_.async_wait(asio::as_tuple(asio::use_awaitable));
    (void)ec;
  }
}

// The key is written into the text once, and nothing is copied that holds it.
secret_string provider_stream::request_text() const {
  const auto request = make_request(asked_);
  const auto key = asked_.target.api_key.reveal();
  const bool good_key = key.find_first_of("\r\n") == key.npos;
  std::string head(request.method);
  std::string_view base = url_.path;
  if (request.at_root && base.ends_with("/v1")) base.remove_suffix(3);
  head += " " + std::string(base) + request.path + " HTTP/1.1\r\n";
  head += header_line("Host", url_.host_header);
  head += "User-Agent: soma\r\nContent-Type: application/json\r\n";
  head += "Accept: text/event-stream, application/json\r\nAccept-Encoding: identity\r\n";
  head += request.version_header;
  head += header_line("X-Request-Id", asked_.request_id);
  head += header_line("traceparent", asked_.traceparent);
  if (request.method != "GET")
    head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  std::string out;
  out.reserve(head.size() + request.key_before.size() + key.size() + 4 + request.body.size());
  out += head;
  if (!request.key_before.empty() && good_key)
    out.append(request.key_before).append(key).append("\r\n");
  out.append("\r\n").append(request.body);
  return secret_string(std::move(out));
}

void provider_stream::prepare_reading() {
  bytes_read_ = content_bytes_ = 0;
  form_ = form::unknown;
  start_.clear();
  decoder_.reset();
  document_.reset();
  refusal_body_.clear();
  reader_ = std::make_unique<response_reader>([this](std::string_view bytes) { on_body(bytes); });
  events_ = std::make_unique<sse_parser>(core_.options.line_bytes_max);
  answer_ = make_parser(
      asked_, [this](std::string text, bool thinking) { give_piece(std::move(text), thinking); },
      [this](std::string_view message) { return presentable(message, asked_); });
  if (!asked_.prefix.empty()) answer_->goes_on();
}

std::size_t provider_stream::document_bytes_max() const {
  if (asked_.purpose == purpose::embeddings) return core_.options.embeddings_bytes_max;
  return asked_.purpose == purpose::answer ? core_.options.document_bytes_max
                                           : limits::description_bytes_max;
}

void provider_stream::on_body(std::string_view bytes) {
  const auto fail = [this](std::string_view why) {
    answer_->fail({std::string(codes::llm_bad_stream), std::string(why), true});
  };
  if (!decoder_) {
    decoder_ = content_decoder::make(reader_->header("content-encoding"));
    if (!decoder_) return fail("the provider's answer is in a content coding that is not known");
  }
  if (answer_->failed()) return;
  const bool coded = decoder_->feed(bytes, [&](std::string_view part) {
    content_bytes_ += part.size();
    if (content_bytes_ > limits::answer_bytes_max)
      fail("the provider sent too long an answer");
    else if (content_bytes_ > limits::expanded_bytes_free &&
             content_bytes_ / limits::expansion_max > bytes_read_)
      fail("the provider's answer is compressed beyond all reason");
    else
      on_content(part);
    return !answer_->failed();
  });
  if (!coded) fail("the provider's answer is not in the content coding that it names");
}

void provider_stream::on_content(std::string_view bytes) {
  if (reader_->status() / 100 != 2) {
    const auto room = core_.options.error_body_bytes_max - refusal_body_.size();
    refusal_body_ += bytes.substr(0, room);
    return;
  }
  std::string begun;
  if (form_ == form::unknown) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    begun = std::move(start_) + std::string(bytes);
    start_.clear();
    if (begun.starts_with(byte_order_mark)) begun.erase(0, byte_order_mark.size());
    const auto first = begun.find_first_not_of(" \t\r\n");
    if (first == begun.npos || byte_order_mark.starts_with(std::string_view(begun).substr(first))) {
      if (begun.size() < limits::header_bytes_max) start_ = std::move(begun);
      return;
    }
    if (begun[first] == '<')
      return answer_->fail(
          {std::string(codes::llm_bad_stream), "the provider answered with a web page", true});
    form_ = begun[first] == '{' || begun[first] == '[' ? form::document : form::events;
    bytes = begun;
  }
  if (form_ == form::document) return on_document_piece(bytes);
  if (!events_->feed(bytes, [this](std::string_view data) { on_data(data); }))
    answer_->fail({std::string(codes::llm_bad_stream), "the provider sent too long a line", true});
}

void provider_stream::on_document_piece(std::string_view bytes) {
  if (!document_) document_ = std::make_shared<kept_document>(core_.documents, asked_.tenant);
  const auto size = document_->size() + bytes.size();
  if (size > document_bytes_max() || !kept_document::can_fit(*core_.documents, size))
    return answer_->fail(
        {std::string(codes::llm_bad_stream), "the provider sent too long a document", true});
  // What was asked for once and is long is not asked for again at once: it may well be paid for.
  if (!document_->add(bytes))
    return answer_->fail({std::string(codes::server_busy),
                          "the memory for providers' documents is taken by others",
                          asked_.purpose == purpose::answer});
  if (answer_->reads_pieces()) answer_->on_document_piece(bytes);
}

// Scanned first: what is no answer must not reach a caller as one.
void provider_stream::on_data(std::string_view data) {
  const bool was_over = answer_->over();
  answer_->on_data(data);
  if (!sink_.on_raw || was_over || (answer_->over() && !answer_->finished())) return;
  if (data.find_first_not_of(" \t\r\n") == data.npos) return;
  sink_.on_raw(data);
}

// A caller that relays a stream gets one, also from a server that gives no streams; and what is one
// object a line is read so.
void provider_stream::on_document() {
  const auto document = std::exchange(document_, nullptr);  // counts until this is done
  if (!answer_->reads_pieces()) return on_whole_document(document->take_whole());
  answer_->on_document_end();
  if (answer_->failed()) return;
  if (sink_.on_document)
    sink_.on_document(document);
  else if (sink_.on_raw)
    sink_.on_raw(document->take_whole());
}

void provider_stream::on_whole_document(const std::string& document) {
  if (asked_.purpose == purpose::answer && sink_.on_raw && wants_stream(asked_)) {
    answer_->on_data(document);
    if (answer_->failed()) return;
    sink_.on_raw(as_chunk(document));
    sink_.on_raw("[DONE]");
    return;
  }
  if (asked_.purpose != purpose::answer || !is_lines(document)) return on_data(document);
  std::string_view rest = document;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    on_data(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

// What the bytes just read have led to.
void provider_stream::after_bytes() {
  if (closed_) return;
  if (answer_->over()) {
    const bool failed = !answer_->finished();
    if (!ended_) end(answer_->finish());
    if (failed) return close();
    if (!reader_->done()) expect(phase::draining, drain_ms);
    return;
  }
  if (reader_->done()) return on_response_end();
  if (reader_->has_header() && reader_->status() / 100 != 2) {
    if (refusal_body_.size() < core_.options.error_body_bytes_max) return;
    on_refusal_read();
    return close();
  }
  if (answer_->finished())
    expect(phase::ending, std::min(asked_.waits.idle_ms, limits::after_reason_ms));
  else if (answer_->spoke())
    expect(phase::streaming, asked_.waits.idle_ms);
  else if (reader_->has_header() && form_ == form::events)
    on_sign_of_life();
}

// Comments, pings and events that say nothing: the provider is at work. The first word is waited
// for again, but not for ever.
void provider_stream::on_sign_of_life() {
  const auto wait = std::chrono::milliseconds(asked_.waits.first_token_ms);
  const auto last = asked_at_ + wait * limits::signs_of_life_max;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(last - clock::now());
  if (left.count() > 0)
    expect(phase::first_token, static_cast<std::uint32_t>(std::min(wait, left).count()));
}

void provider_stream::on_response_end() {
  if (ended_) return;
  if (reader_->status() / 100 != 2) return on_refusal_read();
  if (form_ == form::document) on_document();
  // A line that the end of the connection cut is no event.
  events_->finish([this](std::string_view data) {
    if (data.ends_with('}') || data.starts_with("[DONE]")) on_data(data);
  });
  end(answer_->finish());
}

void provider_stream::on_refusal_read() {
  const refusal what{reader_->status(), refusal_body_, reader_->header("retry-after"),
                     reader_->header("retry-after-ms"), now_ms()};
  end(refused(what, asked_));
}

provider_stream::attempt provider_stream::on_broken_off() {
  if (connection_->used && bytes_read_ == 0) return attempt::dead_connection;
  if (!ended_) {
    if (reader_->end_of_connection() || (reader_->has_header() && reader_->status() / 100 != 2)) {
      on_response_end();
    } else {
      end(answer_->finish());
    }
  }
  close();
  return attempt::over;
}

void provider_stream::keep_connection() {
  watchdog_.cancel();
  if (reader_->keep_alive()) core_.pool.put(std::move(connection_));
}

void provider_stream::cancel() {
  if (!ended_) close();
}

void provider_stream::close() {
  if (closed_) return;
  closed_ = true;
  watchdog_.cancel();
  resumed_.cancel();
  if (connection_) connection_->close();
  if (!ended_) {  // cancelled
    ended_ = true;
    // Not now: the sink may be what is cancelling.
    asio::post(core_.io, [self = shared_from_this()] { self->sink_ = {}; });
  }
}

void provider_stream::set_paused(bool paused) {
  if (closed_ || paused_ == paused) return;
  paused_ = paused;
  if (paused) return unhurry();
  expect(phase_, within_ms_);
  resumed_.cancel();
}

void provider_stream::give_piece(std::string text, bool thinking) {
  if (!sink_.on_raw && sink_.on_piece) sink_.on_piece(std::move(text), thinking);
}

void provider_stream::end(stream_end how) {
  if (ended_) return;
  ended_ = true;
  if (how.error && how.error->code == codes::server_busy)
    how.retry_after_ms = limits::documents_retry_ms;
  const auto sink = std::exchange(sink_, {});
  if (sink.on_end) sink.on_end(std::move(how));
}

void provider_stream::end_with(std::string_view code, std::string detail, bool retryable) {
  stream_end how;
  how.error = failure{std::string(code), std::move(detail), retryable};
  end(std::move(how));
}

void provider_stream::expect(phase next, std::uint32_t within_ms) {
  phase_ = next;
  within_ms_ = within_ms;
  if (paused_) return;
  due_ = clock::now() + std::chrono::milliseconds(within_ms);
  if (!watching_ || due_ < armed_) watch();
}

void provider_stream::unhurry() {
  due_ = clock::time_point::max();
}

// Deadlines mostly move on: the timer is left to fire and looks again, rather than set anew.
void provider_stream::watch() {
  watching_ = true;
  armed_ = due_;
  watchdog_.expires_at(due_);
  watchdog_.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
    const auto self = weak.lock();
    if (ec || !self || self->closed_) return;
    self->watching_ = false;
    if (self->due_ > clock::now()) {
      if (!self->paused_) self->watch();
    } else {
      self->timed_out();
    }
  });
}

void provider_stream::timed_out() {
  const auto waited = " within " + std::to_string(within_ms_) + " ms";
  if (ended_) return close();
  if (answer_ && answer_->finished()) {
    end(answer_->finish());
  } else if (phase_ == phase::connecting) {
    end_with(codes::llm_unreachable, "no connection to the provider" + waited, true);
  } else if (phase_ == phase::first_token) {
    end_with(codes::llm_timeout_first_token, "the provider said nothing" + waited, true);
  } else {
    end_with(codes::llm_timeout_idle, "the provider said nothing more" + waited, true);
  }
  close();
}

}  // namespace soma::llm
