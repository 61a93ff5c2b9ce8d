// One call on its way: connects or takes a kept connection, asks, and hands the answer to the sink.
// All of it on the client's io thread.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "core/sse_parser.hpp"
#include "llm/answer_parser.hpp"
#include "llm/call_places.hpp"
#include "llm/connection_pool.hpp"
#include "llm/content_decoder.hpp"
#include "llm/kept_document.hpp"
#include "llm/llm_client.hpp"
#include "llm/provider_health.hpp"
#include "llm/provider_limits.hpp"
#include "llm/response_reader.hpp"
#include "llm/wire_form.hpp"

namespace soma::llm {

// Buffers that calls read into, kept between them: they are too large for what an allocator gives
// quickly. One thread's own.
class read_buffers {
 public:
  std::vector<char> take() {
    if (kept_.empty()) return std::vector<char>(limits::read_bytes_least);
    auto one = std::move(kept_.back());
    kept_.pop_back();
    return one;
  }
  void give_back(std::vector<char> used) {
    if (used.size() == limits::read_bytes_least && kept_.size() < limits::read_buffers_kept)
      kept_.push_back(std::move(used));
  }

 private:
  std::vector<std::vector<char>> kept_;
};

// What the streams of a client share. Used on the one thread that runs `io`, which stops before
// this is destroyed. Streams on a borrowed io own it, since they may wait in `io` for longer than
// the client lives; where it owns `io` itself, they do not.
struct client_core {
  client_core(const client_options& o, std::shared_ptr<boost::asio::io_context> on);

  client_options options;
  std::atomic<std::uint64_t> calls{0}, open_streams{0}, connections_open{0}, connections_reused{0};
  boost::asio::ssl::context tls{boost::asio::ssl::context::tls_client};
  tls_sessions sessions;
  std::string tls_broken;  // why no TLS connection can be made; empty: it can
  std::atomic<std::thread::id> io_thread{};
  std::shared_ptr<provider_health> health;
  std::shared_ptr<call_places> places;
  std::shared_ptr<wire_forms> forms;
  std::shared_ptr<name_lookups> names;
  std::shared_ptr<byte_budget> documents;
  std::shared_ptr<boost::asio::io_context> io_owner;  // behind what its last handlers still touch
  boost::asio::io_context& io;
  std::shared_ptr<way_home> home;
  connection_pool pool;
  read_buffers buffers;
};

class provider_stream : public std::enable_shared_from_this<provider_stream> {
 public:
  // What is asked is shared with whoever asks: the body of a caller may go from it once the answer
  // has begun.
  provider_stream(std::shared_ptr<client_core> core, std::shared_ptr<const call> asked,
                  stream_sink sink);

  void start();
  void cancel();  // closes unless the answer is complete
  void close();
  void set_paused(bool paused);

 private:
  enum class attempt { over, dead_connection };

  static boost::asio::awaitable<void> drive(std::shared_ptr<provider_stream> self);
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<bool> open_connection();
  boost::asio::awaitable<attempt> exchange();
  boost::asio::awaitable<void> while_paused();
  bool crowded() const;
  secret_string request_text() const;

  void prepare_reading();
  void on_body(std::string_view bytes);
  void on_content(std::string_view bytes);
  void on_data(std::string_view data);
  void on_document_piece(std::string_view bytes);
  void on_document();
  void on_whole_document(const std::string& document);
  std::size_t document_bytes_max() const;
  void on_refusal_read();
  void on_response_end();
  attempt on_broken_off();
  void after_bytes();
  void keep_connection();

  void give_piece(std::string text, bool thinking);
  void end(stream_end how);
  void end_with(std::string_view code, std::string detail, bool retryable);

  // One watchdog: what is to happen by when, else `timed_out`.
  enum class phase { connecting, first_token, streaming, ending, draining };
  void expect(phase next, std::uint32_t within_ms);
  void on_sign_of_life();
  void unhurry();
  void watch();
  void timed_out();

  const std::shared_ptr<client_core> core_owner_;
  client_core& core_;
  const std::shared_ptr<const call> asked_owner_;
  const call& asked_;
  const url_parts url_;
  stream_sink sink_;
  bool ended_ = false, closed_ = false, paused_ = false;

  std::unique_ptr<connection> connection_;
  std::unique_ptr<response_reader> reader_;
  std::unique_ptr<content_decoder> decoder_;  // once the header is there
  std::unique_ptr<sse_parser> events_;
  std::unique_ptr<answer_parser> answer_;
  std::shared_ptr<kept_document> document_;  // an answer given in one piece
  std::string refusal_body_;                 // of a status other than 2xx
  enum class form { unknown, events, document } form_ = form::unknown;
  std::string start_;  // of the content, until its form is known
  std::uint64_t bytes_read_ = 0, content_bytes_ = 0;
  std::vector<char> buffer_;  // empty where none is held

  boost::asio::steady_timer watchdog_, resumed_;
  phase phase_ = phase::connecting;
  std::chrono::steady_clock::time_point due_, armed_, asked_at_;
  std::uint32_t within_ms_ = 0;
  bool watching_ = false;
};

}  // namespace soma::llm
