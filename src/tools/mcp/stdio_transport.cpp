#include "tools/mcp/stdio_transport.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "tools/mcp/limits.hpp"
#include "tools/sandbox/descriptors.hpp"

namespace soma::tools::mcp {
namespace {

// What the sandbox's thread and the loop share of one run. The transport takes itself out.
struct channel {
  class stdio_transport* owner = nullptr;  // of the loop's thread; looked at there alone
  std::atomic<std::size_t> unread{0};
};

class stdio_transport final : public transport {
 public:
  stdio_transport(const command_settings& what, sandbox& box, loop& on)
      : what_(what), box_(box), loop_(on), channel_(std::make_shared<channel>()) {
    channel_->owner = this;
  }
  ~stdio_transport() override {
    channel_->owner = nullptr;
    close_input();
    run_.reset();  // waits for a callback, which only posts
  }

  bool over_http() const override { return false; }
  void speak(std::string_view) override {}
  void abandon(std::uint64_t) override {}

  void open(transport_sink sink) override {
    sink_ = std::move(sink);
    auto pipe = make_pipe();
    if (!pipe.reading) return close_soon("no file descriptors are left");
    input_ = std::move(pipe.writing);
    fcntl(input_.get(), F_SETFL, O_NONBLOCK);
    auto command = command_of();
    command.input_fd = pipe.reading.release();
    run_ = box_.start(std::move(command), callbacks());
    loop_.after(std::chrono::milliseconds(0), [this, weak = std::weak_ptr(channel_)] {
      if (const auto c = weak.lock(); c && c->owner && !closed_) sink_.on_open();
    });
  }

  void send(outgoing message) override {
    if (closed_ || !input_) return;
    if (unwritten_.size() - written_ + message.json.size() > limits::unwritten_bytes_max)
      return close_soon("the server does not read what it is sent");
    unwritten_ += message.json;
    unwritten_ += '\n';
    write_more();
  }

 private:
  sandbox_command command_of() const {
    sandbox_command out;
    out.argv.push_back(what_.program);
    out.argv.insert(out.argv.end(), what_.arguments.begin(), what_.arguments.end());
    out.environment = what_.environment;
    out.binds = what_.folders;
    out.limits.timeout_ms = 0;
    out.limits.cpu_s = 0;
    out.limits.memory_bytes = what_.memory_bytes;
    out.limits.processes = what_.processes;
    out.limits.output_bytes = ~0ull;  // of its whole life; each message has its own bound
    return out;
  }

  sandbox_callbacks callbacks() {
    sandbox_callbacks out;
    out.on_output = [on = &loop_, c = channel_](bool errors, std::string_view bytes) {
      // What comes faster than it is read is dropped, and ends the connection.
      if (c->unread.fetch_add(bytes.size()) > limits::unread_bytes_max) return;
      on->post([c, errors, text = std::string(bytes)] {
        const auto waited = c->unread.fetch_sub(text.size());
        if (!c->owner) return;
        if (waited > limits::unread_bytes_max) return c->owner->close("the server writes too fast");
        errors ? c->owner->on_errors(text) : c->owner->on_output(text);
      });
    };
    out.on_end = [on = &loop_, c = channel_](sandbox_end how) {
      on->post([c, how] {
        if (c->owner) c->owner->on_end(how);
      });
    };
    return out;
  }

  void write_more() {
    while (written_ < unwritten_.size()) {
      const auto n =
          write(input_.get(), unwritten_.data() + written_, unwritten_.size() - written_);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) {
        if (!std::exchange(watching_, true)) loop_.watch(input_.get(), [this] { write_more(); });
        return;
      }
      if (n <= 0) return input_closed();
      written_ += static_cast<std::size_t>(n);
    }
    unwritten_.clear();
    written_ = 0;
    if (std::exchange(watching_, false)) loop_.unwatch(input_.get());
  }

  // It has ended, and its run says how in a moment; or it lives on and reads nothing any more.
  void input_closed() {
    close_input();
    loop_.after(limits::end_after_input, [this, weak = std::weak_ptr(channel_)] {
      if (const auto c = weak.lock(); c && c->owner)
        close("the server's program closed its standard input");
    });
  }

  void close_input() {
    if (std::exchange(watching_, false)) loop_.unwatch(input_.get());
    input_ = descriptor();
    unwritten_.clear();
    written_ = 0;
  }

  void on_output(std::string_view bytes) {
    const auto alive = channel_;
    while (!bytes.empty() && !closed_) {
      const auto end = bytes.find('\n');
      const auto piece = bytes.substr(0, end);
      if (line_.size() + piece.size() > limits::message_bytes_max)
        return close("the server wrote a line that is too long");
      line_ += piece;
      if (end == bytes.npos) return;
      bytes.remove_prefix(end + 1);
      auto line = std::exchange(line_, {});
      if (line.find_first_not_of(" \t\r") == line.npos) continue;
      sink_.on_message(line);
      if (!alive->owner) return;
    }
  }

  void on_errors(std::string_view bytes) {
    const auto now = loop_.now();
    if (now - errors_since_ > limits::stray_window) {
      errors_since_ = now;
      error_bytes_ = 0;
    }
    error_bytes_ += bytes.size();
    if (error_bytes_ > limits::stderr_bytes_a_window)
      return close("the server's program writes too much to standard error");
    errors_ += bytes;
    if (errors_.size() > limits::stderr_bytes_kept)
      errors_.erase(0, errors_.size() - limits::stderr_bytes_kept);
  }

  void on_end(const sandbox_end& how) {
    std::string why = "the server's program ended";
    if (how.why == sandbox_end::reason::exited)
      why += " with " + std::to_string(how.exit_code);
    else
      why = how.why == sandbox_end::reason::refused
                ? "the server's program was not started: " + how.detail
                : "the server's program was ended: " + how.detail;
    close(std::move(why));
  }

  void close(std::string why) {
    if (std::exchange(closed_, true)) return;
    close_input();
    sink_.on_closed(std::move(why), std::move(errors_));
  }
  // Not from inside a call of the connection's.
  void close_soon(std::string why) {
    loop_.after(std::chrono::milliseconds(0),
                [this, weak = std::weak_ptr(channel_), why = std::move(why)] {
                  if (const auto c = weak.lock(); c && c->owner) close(why);
                });
  }

  const command_settings what_;
  sandbox& box_;
  loop& loop_;
  const std::shared_ptr<channel> channel_;
  transport_sink sink_;
  descriptor input_;
  std::unique_ptr<sandbox_run> run_;
  std::string unwritten_, line_, errors_;
  std::size_t written_ = 0, error_bytes_ = 0;
  scheduler::clock::time_point errors_since_;
  bool watching_ = false, closed_ = false;
};

}  // namespace

std::unique_ptr<transport> make_stdio_transport(const command_settings& what, sandbox& box,
                                                loop& on) {
  return std::make_unique<stdio_transport>(what, box, on);
}

}  // namespace soma::tools::mcp
