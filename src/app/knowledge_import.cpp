// Importing knowledge: an attachment's text is taken out in the sandbox, cut and kept.
#include <boost/json.hpp>

#include "app/file_services.hpp"
#include "app/memories.hpp"
#include "app/on_lane.hpp"
#include "app/page_filling.hpp"
#include "app/services.hpp"
#include "app/tool_gateway.hpp"
#include "app/visibility.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
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

result<answered<tools::kept_document>> imported_before(const idempotency_gate::entry& gate) {
  const auto& text = gate.replay->response_json;
  boost::system::error_code ec;
  const auto value = boost::json::parse({text.data(), text.size()}, ec);
  const auto* o = ec ? nullptr : value.if_object();
  if (!o) return error(codes::storage_corrupt, "not the answer to an import");
  const auto is = [&](std::string_view name) {
    const auto* flag = o->if_contains(name);
    return flag && flag->is_bool() && flag->get_bool();
  };
  tools::kept_document kept;
  kept.attachment_id = text_of(*o, "attachment_id");
  kept.filename = text_of(*o, "filename");
  if (const auto* count = o->if_contains("passages"); count && count->is_number())
    kept.passages = count->to_number<std::size_t>();
  kept.cut = is("truncated");
  kept.again = is("again");
  return answered<tools::kept_document>(std::move(kept), true);
}

tools::answer_to_keep answer_for(const services& s, const idempotency_gate::entry& gate) {
  auto record = s.idempotency.record_of(gate, 0, {});
  tools::answer_to_keep answer;
  answer.key = std::move(record.key);
  answer.hash = std::move(record.request_hash);
  answer.created_at_ms = record.created_at_ms;
  answer.ttl_ms = record.ttl_ms;
  answer.made = [](const tools::kept_document& kept) {
    return std::pair(imported_status(kept), imported_json(kept));
  };
  return answer;
}

}  // namespace

std::string imported_json(const tools::kept_document& kept) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("attachment_id", kept.attachment_id).field("filename", kept.filename);
  w.field("passages", static_cast<std::uint64_t>(kept.passages));
  w.field_bool("truncated", kept.cut).field_bool("again", kept.again).end_object();
  return out;
}

int imported_status(const tools::kept_document& kept) {
  return kept.again || kept.passages == 0 ? 200 : 201;
}

asio::awaitable<result<answered<tools::kept_document>>> import_document(services& s, admitted& in,
                                                                        once_key once,
                                                                        std::string attachment_id) {
  const auto& who = in.who();
  const std::vector<std::string> named{attachment_id};
  auto may = co_await s.pipeline.ask(in, "attachment.read", named);
  if (!may) co_return may.error();
  auto gate = co_await s.idempotency.enter(who, std::move(once));
  if (!gate) co_return gate.error();
  in.about(attachment_id);
  if (gate->replay) co_return imported_before(*gate);
  if (auto why = s.tools.documents.unavailable(); !why.empty())
    co_return error(codes::tool_unavailable, std::move(why));
  auto place = s.tools.documents.enter(who.tenant);
  if (!place) co_return error(codes::server_busy, "other documents are being imported", 1);
  tools::wanted_document wanted;
  wanted.tenant = who.tenant;
  wanted.user_id = who.user.value;
  wanted.sees_all = sees_all(who);
  wanted.attachment_id = std::move(attachment_id);
  if (!gate->key.empty()) wanted.answer = answer_for(s, *gate);
  auto work = [&documents = s.tools.documents, wanted = std::move(wanted),
               place = std::move(place)]() mutable {
    auto kept = documents.import(wanted);
    place.reset();  // before anybody is told
    return kept;
  };
  auto kept = co_await on_lane(s.files.pool, std::move(work));
  if (!kept) {
    auto twin = co_await s.idempotency.find_twin(*gate, as_import(kept.error()));
    if (!twin) co_return twin.error();
    co_return imported_before(*gate);
  }
  co_return answered<tools::kept_document>(std::move(*kept), false);
}

asio::awaitable<result<document_page>> list_documents(services& s, const caller& who,
                                                      std::string cursor, std::size_t limit) {
  page_filling page(&document_page::documents, std::move(cursor), limit);
  while (page.goes_on()) {
    auto work = [&shelf = s.knowledge, me = viewer_of(who), from = page.cursor(),
                 left = page.left()] { return shelf.list(me, from, left); };
    auto turn = turn_of(who.tenant);
    auto piece = co_await on_lane(s.lanes.pages, std::move(turn), std::move(work));
    if (!piece) co_return piece.error();
    page.take(std::move(*piece));
  }
  co_return std::move(page).page();
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
