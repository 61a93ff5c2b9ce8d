// A client of providers on an io_context that its caller runs, for callers that live there: no
// thread is crossed between the provider's socket and theirs. All calls on the thread that runs
// `io`, which outlives the client; its handles may outlive it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "llm/llm_client.hpp"

namespace soma::llm {

std::unique_ptr<llm_client> make_provider_client_on(boost::asio::io_context& io,
                                                    const client_options& options);

}  // namespace soma::llm
