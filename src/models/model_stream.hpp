// A model call as a coroutine of an io thread takes it: piece by piece, with the provider read no
// faster than the pieces are taken. All of it on one io thread, whose own client makes the call.
// Destroying it cancels the call at once; so does giving it up, when its caller is gone.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "actors/node.hpp"
#include "core/byte_budget.hpp"
#include "llm/kept_document.hpp"
#include "llm/llm_client.hpp"

namespace soma::models {

class llm_gateway;

// An io thread's own client of model providers.
struct io_llm_client {
  boost::asio::io_context& io;
  std::unique_ptr<llm::llm_client> calls;
};

class model_stream : public std::enable_shared_from_this<model_stream> {
 public:
  struct item {
    std::string text;  // a piece, or what the provider sent where the call is raw
    bool thinking = false;
    std::optional<llm::stream_end> end;              // the last item, without text
    std::shared_ptr<llm::kept_document> document{};  // embeddings: all of them, without text
  };

  // Errors: those of llm_gateway::start.
  static result<std::shared_ptr<model_stream>> start(llm_gateway& models, io_llm_client& client,
                                                     const actors::llm_caller& who, llm::call c,
                                                     bool raw);
  model_stream(boost::asio::io_context& io, byte_budget& documents, std::string tenant)
      : documents_(documents), tenant_(std::move(tenant)), wake_(io) {}

  // Not after the end.
  boost::asio::awaitable<item> next();

  // Lets the provider go, unless the stream has ended; it then ends with that error. `drop`: what
  // is not taken yet goes, too.
  void give_up(failure why, bool drop = false);
  // Something that lives as long as this.
  void hold(std::shared_ptr<void> other) { held_ = std::move(other); }

  // Gives an item back: it will be the next.
  void unread(item one);

  // All that is still to come, but for embeddings. Past llm::limits::document_bytes_max, and where
  // the memory for whole answers is taken, the call is given up.
  struct whole {
    std::string text, thinking;
    llm::stream_end end;
    byte_budget::share counted{};  // to be held until it is sent
  };
  boost::asio::awaitable<whole> rest();

 private:
  void take(std::string text, bool thinking);
  void take_document(std::shared_ptr<llm::kept_document> document);
  void finish(llm::stream_end how);
  std::optional<failure> count(whole& got);

  std::unique_ptr<llm::stream_handle> call_;
  std::deque<item> items_;
  std::size_t held_bytes_ = 0;
  bool paused_ = false, over_ = false;
  std::shared_ptr<void> held_;
  byte_budget& documents_;
  const std::string tenant_;
  boost::asio::steady_timer wake_;
};

}  // namespace soma::models
