#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "llm/llm_client.hpp"
#include "llm/openai_stream.hpp"

namespace soma::llm {

namespace asio = boost::asio;

client_core::client_core(const client_options& o)
    : options(o), pool(io, o.pool_idle_max, o.pool_idle_ms) {
  boost::system::error_code ec;
  tls.set_verify_mode(o.verify_tls ? asio::ssl::verify_peer : asio::ssl::verify_none, ec);
  SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
  if (!o.verify_tls) return;
  if (o.ca_file.empty()) {
    tls.set_default_verify_paths(ec);
  } else {
    tls.load_verify_file(o.ca_file, ec);
  }
  if (ec) tls_broken = "the CA certificates cannot be read";
}

namespace {

class openai_handle final : public stream_handle {
 public:
  openai_handle(std::shared_ptr<client_core> core, std::shared_ptr<openai_stream> stream)
      : core_(std::move(core)), stream_(std::move(stream)) {}

  // An answer that is complete leaves its connection to the pool.
  ~openai_handle() override {
    stream_->silence();
    asio::dispatch(core_->io, [stream = stream_] { stream->cancel(); });
  }
  void pause() override {
    asio::dispatch(core_->io, [stream = stream_] { stream->set_paused(true); });
  }
  void resume() override {
    asio::dispatch(core_->io, [stream = stream_] { stream->set_paused(false); });
  }

 private:
  std::shared_ptr<client_core> core_;
  std::shared_ptr<openai_stream> stream_;
};

class openai_client final : public llm_client {
 public:
  explicit openai_client(const client_options& options)
      : core_(std::make_shared<client_core>(options)), work_(core_->io.get_executor()) {
    thread_ = std::thread([core = core_.get()] {
      core->io_thread = std::this_thread::get_id();
      core->io.run();
    });
  }

  // Calls still running end without a word; their handles may outlive the client.
  ~openai_client() override {
    core_->io.stop();
    thread_.join();
  }

  std::unique_ptr<stream_handle> start(call c, stream_sink sink) override {
    auto stream = std::make_shared<openai_stream>(*core_, std::move(c), std::move(sink));
    asio::post(core_->io, [stream] { stream->start(); });
    return std::make_unique<openai_handle>(core_, std::move(stream));
  }

  counters stats() const override {
    return {core_->calls, core_->open_streams, core_->connections_open, core_->connections_reused};
  }

 private:
  std::shared_ptr<client_core> core_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<llm_client> make_openai_client(const client_options& options) {
  return std::make_unique<openai_client>(options);
}

}  // namespace soma::llm
