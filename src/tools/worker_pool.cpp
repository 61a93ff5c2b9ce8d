#include "tools/worker_pool.hpp"

#include <boost/asio/post.hpp>
#include <utility>

namespace soma::tools {

worker_pool::~worker_pool() {
  stopping_ = true;
  pool_.stop();
  pool_.join();
}

bool worker_pool::post(std::function<void()> work) {
  if (stopping_) return false;
  if (waiting_.fetch_add(1) >= waiting_max_) {
    waiting_.fetch_sub(1);
    return false;
  }
  boost::asio::post(pool_, [this, work = std::move(work)] {
    waiting_.fetch_sub(1);
    work();
  });
  return true;
}

}  // namespace soma::tools
