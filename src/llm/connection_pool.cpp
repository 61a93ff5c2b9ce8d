#include "llm/connection_pool.hpp"

namespace soma::llm {

using clock = std::chrono::steady_clock;

connection_pool::connection_pool(boost::asio::io_context& io, std::size_t idle_max,
                                 std::uint32_t idle_ms)
    : timer_(io), idle_max_(idle_max), idle_(idle_ms) {}

std::unique_ptr<connection> connection_pool::take(std::string_view key) {
  drop_old();
  for (auto at = kept_.size(); at > 0; --at) {
    if (kept_[at - 1]->key != key) continue;
    auto found = std::move(kept_[at - 1]);
    kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(at - 1));
    if (found->quiet()) return found;
  }
  return nullptr;
}

void connection_pool::put(std::unique_ptr<connection> c) {
  if (idle_max_ == 0) return;
  c->idle_since = clock::now();
  c->used = true;
  kept_.push_back(std::move(c));
  if (kept_.size() > idle_max_) kept_.pop_front();
  watch();
}

void connection_pool::close() {
  idle_max_ = 0;
  timer_.cancel();
  kept_.clear();
}

void connection_pool::drop_old() {
  const auto oldest = clock::now() - idle_;
  while (!kept_.empty() && kept_.front()->idle_since <= oldest) kept_.pop_front();
}

void connection_pool::watch() {
  if (watching_ || kept_.empty()) return;
  watching_ = true;
  timer_.expires_at(kept_.front()->idle_since + idle_);
  timer_.async_wait([this](boost::system::error_code ec) {
    if (ec) return;
    watching_ = false;
    drop_old();
    watch();
  });
}

}  // namespace soma::llm
