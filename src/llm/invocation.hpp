// One model call as its caller sees it, whatever it takes: attempts, waits between them, fallback
// profiles. Until the first piece has come everything may be tried again; after it nothing is.
// All of it on the client's io thread, except `guarded_sink::silence`.
#pragma once

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <mutex>
#include <thread>

#include "core/boxed.hpp"
#include "llm/provider_stream.hpp"
#include "llm/stop_cutter.hpp"

namespace soma::llm {

// The caller's sink, which a caller on another thread may silence for good.
class guarded_sink {
 public:
  explicit guarded_sink(stream_sink sink) : sink_(std::move(sink)) {}

  bool wants_raw() const { return wants_raw_; }
  bool wants_document() const { return wants_document_; }
  void piece(std::string text, bool thinking);
  void raw(std::string_view data);
  void document(std::shared_ptr<kept_document> document);
  void end(stream_end how);

  // After this the sink is not called again, and is not being called unless by this very thread.
  void silence(bool on_io_thread);

 private:
  std::mutex mutex_;  // held while the sink is called
  bool silenced_ = false;
  stream_sink sink_;
  const bool wants_raw_ = static_cast<bool>(sink_.on_raw);
  const bool wants_document_ = static_cast<bool>(sink_.on_document);
};

class invocation : public std::enable_shared_from_this<invocation> {
 public:
  invocation(std::shared_ptr<client_core> core, call asked, std::shared_ptr<guarded_sink> sink);
  ~invocation();

  void start();
  void cancel();  // closes unless the answer is complete
  void set_paused(bool paused);

 private:
  bool aim();      // at the next target whose breaker lets it through
  void attempt();  // once there is a place for it
  void attempt_now();
  bool has_place();
  void leave_place();
  void on_piece(std::string text, bool thinking);
  void on_end(stream_end how);
  bool try_again(const stream_end& how);
  void judge(const std::string& target, const stream_end& how, bool again);
  void finish(stream_end how);
  void leave_undecided();
  void answer_begins();
  call& own_call();  // to be changed: no attempt before may see that
  // The one that is asked, or was asked last.
  const profile& target() const { return targets_[std::min(target_, targets_.size() - 1)]; }
  std::string target_key() const;
  // A tenant's own: what its calls lead to at a provider keeps no other tenant from it.
  std::string breaker_key() const;

  const std::shared_ptr<client_core> core_owner_;
  client_core& core_;
  std::shared_ptr<call> asked_;  // shared with the attempt; null once the answer has begun
  const std::vector<profile> targets_;
  const std::string tenant_;
  const std::uint32_t retries_max_;
  const std::shared_ptr<guarded_sink> sink_;
  std::size_t target_ = 0;
  std::uint32_t retries_ = 0;  // of this target
  std::uint32_t attempts_ = 0, forms_tried_ = 0;
  std::optional<call_places::ticket> place_;
  std::string place_at_;  // the address it is for
  bool begun_ = false, over_ = false, paused_ = false, admitted_ = false;
  boxed<stream_end> failed_last_;  // of the attempt before
  std::shared_ptr<provider_stream> stream_;
  boxed<stop_cutter> cutter_;  // where the target knows no stop words
  boost::asio::steady_timer wait_, total_;
};

}  // namespace soma::llm
