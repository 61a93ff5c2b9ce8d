#include "llm/provider_client.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "core/byte_budget.hpp"
#include "llm/invocation.hpp"

namespace soma::llm {

namespace asio = boost::asio;

client_core::client_core(const client_options& o, std::shared_ptr<asio::io_context> on)
    : options(o),
      health(o.health ? o.health : std::make_shared<provider_health>()),
      places(o.places ? o.places : std::make_shared<call_places>()),
      forms(o.forms ? o.forms : std::make_shared<wire_forms>()),
      names(o.names ? o.names : std::make_shared<name_lookups>()),
      documents(o.documents ? o.documents
                            : std::make_shared<byte_budget>(limits::documents_bytes_max)),
      io_owner(std::move(on)),
      io(*io_owner),
      home(std::make_shared<way_home>(io)),
      pool(io, o.pool_idle_max, o.pool_idle_ms) {
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

class provider_handle final : public stream_handle {
 public:
  provider_handle(std::shared_ptr<client_core> core, std::shared_ptr<invocation> run,
                  std::shared_ptr<guarded_sink> sink)
      : core_(std::move(core)), run_(std::move(run)), sink_(std::move(sink)) {}

  // An answer that is complete leaves its connection to the pool.
  ~provider_handle() override {
    sink_->silence(core_->io_thread.load() == std::this_thread::get_id());
    asio::dispatch(core_->io, [run = run_] { run->cancel(); });
  }
  void pause() override {
    asio::dispatch(core_->io, [run = run_] { run->set_paused(true); });
  }
  void resume() override {
    asio::dispatch(core_->io, [run = run_] { run->set_paused(false); });
  }

 private:
  std::shared_ptr<client_core> core_;
  std::shared_ptr<invocation> run_;
  std::shared_ptr<guarded_sink> sink_;
};

class provider_client : public llm_client {
 public:
  // `io` is owned by whom it is given, or borrowed for longer than this lives.
  provider_client(const client_options& options, std::shared_ptr<asio::io_context> io, bool owned)
      : core_(std::make_shared<client_core>(options, std::move(io))),
        for_streams_(owned ? std::shared_ptr<client_core>(std::shared_ptr<void>(), core_.get())
                           : core_) {}
  ~provider_client() override {
    core_->home->close();
    core_->pool.close();
  }

  std::unique_ptr<stream_handle> start(call c, stream_sink sink) override {
    auto guarded = std::make_shared<guarded_sink>(std::move(sink));
    auto run = std::make_shared<invocation>(for_streams_, std::move(c), guarded);
    asio::post(core_->io, [core = core_, run] {
      core->io_thread = std::this_thread::get_id();
      run->start();
    });
    return std::make_unique<provider_handle>(core_, std::move(run), std::move(guarded));
  }

  counters stats() const override {
    return {core_->calls, core_->open_streams, core_->connections_open, core_->connections_reused};
  }

 protected:
  const std::shared_ptr<client_core> core_;

 private:
  const std::shared_ptr<client_core> for_streams_;
};

class threaded_client final : public provider_client {
 public:
  explicit threaded_client(const client_options& options)
      : provider_client(options, std::make_shared<asio::io_context>(1), true),
        work_(core_->io.get_executor()),
        thread_([core = core_.get()] {
          core->io_thread = std::this_thread::get_id();
          core->io.run();
        }) {}

  // Calls still running end without a word; their handles may outlive the client.
  ~threaded_client() override {
    core_->io.stop();
    thread_.join();
  }

 private:
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<llm_client> make_provider_client(const client_options& options) {
  return std::make_unique<threaded_client>(options);
}

std::unique_ptr<llm_client> make_provider_client_on(asio::io_context& io,
                                                    const client_options& options) {
  const std::shared_ptr<asio::io_context> borrowed(&io, [](asio::io_context*) {});
  return std::make_unique<provider_client>(options, borrowed, false);
}

}  // namespace soma::llm
