// Importing knowledge: an attachment's text is taken out in the sandbox, cut and kept.
#include "app/file_services.hpp"
#include "app/memories.hpp"
#include "app/on_lane.hpp"
#include "app/services.hpp"
#include "app/tool_gateway.hpp"
#include "core/codes.hpp"
#include "tools/builtin/document_reader.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

// As the caller of an import is told: there is no tool in what he asked for.
error as_import(error why) {
  if (why.code == codes::tool_busy) return {codes::server_busy, "many documents are being read", 1};
  if (why.code == codes::tool_failed || why.code == codes::tool_timeout)
    return error(codes::request_invalid, std::move(why.detail)).about("attachment_id");
  return why;
}

}  // namespace

asio::awaitable<result<tools::kept_document>> import_document(services& s, admitted& in,
                                                              std::string attachment_id) {
  const auto& who = in.who();
  const std::vector<std::string> named{attachment_id};
  auto may = co_await s.pipeline.ask(in, "attachment.read", named);
  if (!may) co_return may.error();
  if (auto why = s.tools.documents.unavailable(); !why.empty())
    co_return error(codes::tool_unavailable, std::move(why));
  auto place = s.document_imports.enter(who.tenant);
  if (!place) co_return error(codes::server_busy, "other documents are being imported", 1);
  in.about(attachment_id);
  tools::wanted_document wanted;
  wanted.tenant = who.tenant;
  wanted.user_id = who.user.value;
  wanted.attachment_id = std::move(attachment_id);
  auto work = [&documents = s.tools.documents, wanted = std::move(wanted),
               place = std::move(place)]() mutable {
    auto kept = documents.import(wanted);
    place.reset();  // before anybody is told
    return kept;
  };
  auto kept = co_await on_lane(s.files.pool, std::move(work));
  if (!kept) co_return as_import(kept.error());
  co_return kept;
}

}  // namespace soma::app
