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

memory::viewer viewer_of(const caller& who) {
  memory::viewer out;
  out.tenant = who.tenant;
  out.user = who.user;
  return out;
}

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
  auto place = s.tools.documents.enter(who.tenant);
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

asio::awaitable<result<document_page>> list_documents(services& s, const caller& who,
                                                      std::string cursor, std::size_t limit) {
  auto work = [&shelf = s.knowledge, me = viewer_of(who), cursor = std::move(cursor), limit] {
    return shelf.list(me, cursor, limit);
  };
  co_return co_await on_lane(s.lanes.pages, turn_of(who.tenant), std::move(work));
}

asio::awaitable<result<std::size_t>> forget_document(services& s, const admitted& in,
                                                     std::string attachment_id) {
  const auto& who = in.who();
  auto place = s.document_removals.enter(who.tenant);
  if (!place) co_return error(codes::server_busy, "other documents are being forgotten", 1);
  auto work = [&shelf = s.knowledge, me = viewer_of(who), attachment_id = std::move(attachment_id),
               place = std::move(place)]() mutable {
    auto gone = shelf.forget_kept(me, attachment_id);
    place.reset();  // before anybody is told
    return gone;
  };
  co_return co_await on_lane(s.files.pool, std::move(work));
}

}  // namespace soma::app
