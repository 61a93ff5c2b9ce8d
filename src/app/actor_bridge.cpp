#include "app/actor_bridge.hpp"

#include <boost/asio/post.hpp>
#include <caf/actor_companion.hpp>
#include <caf/actor_system.hpp>
#include <mutex>
#include <utility>
#include <vector>

namespace soma::app {
namespace {

// Longer than any fsync that will still succeed; a client has given up by then.
constexpr std::chrono::seconds ask_timeout{30};

}  // namespace

// Answers on their way to the io thread. They come in bursts, one a commit: the first wakes the
// thread, the others go along.
struct actor_bridge::mailbox {
  caf::actor companion;
  std::mutex mutex;
  std::vector<std::pair<std::uint64_t, caf::message>> answers;

  // True: the caller wakes the io thread.
  bool put(std::uint64_t id, caf::message answer) {
    std::lock_guard lock(mutex);
    answers.emplace_back(id, std::move(answer));
    return answers.size() == 1;
  }
  std::vector<std::pair<std::uint64_t, caf::message>> take() {
    std::lock_guard lock(mutex);
    return std::exchange(answers, {});
  }
};

actor_bridge::actor_bridge(caf::actor_system& system, boost::asio::io_context& io,
                           std::size_t waiting_max)
    : io_(io), timer_(io), waiting_max_(waiting_max), mailbox_(std::make_shared<mailbox>()) {
  // Hidden: the system's end must not wait for what is no actor of its own.
  mailbox_->companion = system.spawn<caf::actor_companion, caf::hidden>();
  auto* companion = caf::actor_cast<caf::actor_companion*>(mailbox_->companion);
  // Runs on the answering actor's thread.
  companion->on_enqueue([this](caf::mailbox_element_ptr element) {
    const auto id = element->mid;
    if (!id.is_response()) return;
    if (mailbox_->put(id.request_id().integer_value(), element->move_content_to_message()))
      boost::asio::post(io_, [this] {
        for (auto& [request, answer] : mailbox_->take()) on_answer(request, std::move(answer));
      });
  });
}

actor_bridge::~actor_bridge() {
  auto* companion = caf::actor_cast<caf::actor_companion*>(mailbox_->companion);
  companion->on_enqueue(nullptr);
}

void actor_bridge::send(const caf::strong_actor_ptr& to, caf::message message,
                        std::unique_ptr<waiter> w) {
  const auto id = next_id_++;
  w->deadline = std::chrono::steady_clock::now() + ask_timeout;
  waiting_.emplace(id, std::move(w));
  count_.store(waiting_.size(), std::memory_order_relaxed);
  if (!sweeping_) sweep();
  if (!to) return on_answer(id, caf::make_message(caf::make_error(caf::sec::invalid_argument)));
  to->enqueue(caf::actor_cast<caf::strong_actor_ptr>(mailbox_->companion),
              caf::message_id{id}.with_normal_priority(), std::move(message), nullptr);
}

void actor_bridge::on_answer(std::uint64_t id, caf::message answer) {
  const auto at = waiting_.find(id);
  if (at == waiting_.end()) return;
  const auto waiter = std::move(at->second);
  waiting_.erase(at);
  count_.store(waiting_.size(), std::memory_order_relaxed);
  waiter->complete(std::move(answer));
}

void actor_bridge::sweep() {
  sweeping_ = !waiting_.empty();
  if (!sweeping_) return;
  timer_.expires_after(std::chrono::seconds(1));
  timer_.async_wait([this](boost::system::error_code ec) {
    if (ec) return;
    const auto now = std::chrono::steady_clock::now();
    std::vector<std::uint64_t> late;
    for (const auto& [id, waiter] : waiting_)
      if (waiter->deadline <= now) late.push_back(id);
    for (const auto id : late)
      on_answer(id, caf::make_message(caf::make_error(caf::sec::request_timeout)));
    sweep();
  });
}

error actor_bridge::refusal(const caf::message& answer) {
  if (answer.match_elements<caf::error>()) {
    const auto& why = answer.get_as<caf::error>(0);
    if (why == caf::sec::request_timeout)
      return {codes::server_busy, "the answer took too long inside the server", 2};
  }
  // The actor ended while the request was on its way; its next incarnation can be asked.
  return {codes::server_busy, "the session is being taken up again", 1};
}

}  // namespace soma::app
