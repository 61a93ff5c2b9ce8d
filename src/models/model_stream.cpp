#include "models/model_stream.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/codes.hpp"
#include "models/llm_gateway.hpp"

namespace soma::models {

namespace asio = boost::asio;

namespace {

// Of one answer, waiting for its reader; past it the provider is not read.
constexpr std::size_t held_bytes_max = 256 * 1024;

}  // namespace

result<std::shared_ptr<model_stream>> model_stream::start(llm_gateway& models,
                                                          io_llm_client& client,
                                                          const actors::llm_caller& who,
                                                          llm::call c, bool raw) {
  auto stream = std::make_shared<model_stream>(client.io, models.documents(), who.tenant.value);
  const std::weak_ptr<model_stream> weak = stream;
  llm::stream_sink sink;
  if (raw)
    sink.on_raw = [weak](std::string_view data) {
      if (const auto self = weak.lock()) self->take(std::string(data), false);
    };
  if (raw)
    sink.on_document = [weak](std::shared_ptr<llm::kept_document> document) {
      if (const auto self = weak.lock()) self->take_document(std::move(document));
    };
  sink.on_piece = [weak](std::string text, bool thinking) {
    if (const auto self = weak.lock()) self->take(std::move(text), thinking);
  };
  sink.on_end = [weak](llm::stream_end how) {
    if (const auto self = weak.lock()) self->finish(std::move(how));
  };
  c.request_id = who.request_id;
  const auto home = [&io = client.io](std::function<void()> work) {
    asio::post(io, std::move(work));
  };
  auto started = models.start(*client.calls, who, std::move(c), std::move(sink), home);
  if (!started) return started.error();
  stream->call_ = std::move(*started);
  return stream;
}

void model_stream::take(std::string text, bool thinking) {
  held_bytes_ += text.size();
  items_.push_back({std::move(text), thinking, {}});
  if (held_bytes_ > held_bytes_max && !paused_ && call_) {
    paused_ = true;
    call_->pause();
  }
  wake_.cancel();
}

void model_stream::take_document(std::shared_ptr<llm::kept_document> document) {
  items_.push_back({{}, false, {}, std::move(document)});
  wake_.cancel();
}

void model_stream::finish(llm::stream_end how) {
  if (over_) return;
  over_ = true;
  items_.push_back({{}, false, std::move(how)});
  wake_.cancel();
}

void model_stream::give_up(failure why, bool drop) {
  if (over_) return;
  if (drop) {
    items_.clear();
    held_bytes_ = 0;
  }
  call_.reset();
  llm::stream_end gone;
  gone.error = std::move(why);
  finish(std::move(gone));
}

asio::awaitable<model_stream::item> model_stream::next() {
  const auto self = shared_from_this();
  while (items_.empty()) {
    wake_.expires_at(asio::steady_timer::time_point::max());
    auto [ec] = co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
    (void)ec;
  }
  item one = std::move(items_.front());
  items_.pop_front();
  held_bytes_ -= one.text.size();
  if (paused_ && held_bytes_ < held_bytes_max / 2 && call_) {
    paused_ = false;
    call_->resume();
  }
  co_return one;
}

void model_stream::unread(item one) {
  held_bytes_ += one.text.size();
  items_.push_front(std::move(one));
}

// None where there is room for it.
std::optional<failure> model_stream::count(whole& got) {
  const auto bytes = got.text.size() + got.thinking.size();
  if (bytes > llm::limits::document_bytes_max || !llm::kept_document::can_fit(documents_, bytes))
    return failure{std::string(codes::llm_bad_stream),
                   "the provider's answer is longer than is kept", false};
  if (documents_.grow(got.counted, tenant_, llm::kept_document::counted_bytes(bytes)))
    return std::nullopt;
  return failure{std::string(codes::server_busy), "the memory for whole answers is taken by others",
                 true};
}

asio::awaitable<model_stream::whole> model_stream::rest() {
  const auto self = shared_from_this();
  whole got;
  item one = co_await next();
  while (!one.end) {
    (one.thinking ? got.thinking : got.text) += one.text;
    if (auto why = count(got)) {
      over_ = true;
      call_.reset();
      got.end.error = std::move(*why);
      co_return got;
    }
    one = co_await next();
  }
  got.end = std::move(*one.end);
  co_return got;
}

}  // namespace soma::models
