// Use cases of memories: listed, searched, shown, noted, changed, forgotten, recalled. Each runs on
// its caller's io thread; what looks at the index waits on the longer lane.
//
// Errors: memory.not_found, memory.changed, quota.exceeded, server.busy, those of the store, and of
// what takes a key those of the idempotency gate.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/once.hpp"
#include "app/outgoing.hpp"
#include "app/piece_source.hpp"
#include "app/pipeline.hpp"
#include "memory/knowledge.hpp"
#include "memory/memories.hpp"
#include "tools/document_keeper.hpp"

namespace soma::app {

class services;
using memory::item_filter;
using memory::item_page;

using memory_item = memory::item;
using memory_change = memory::item_change;
using memory_note = memory::new_note;

struct shown_memory {
  memory_item what;
  std::string etag;
  bool again = false;  // it was noted before
};

boost::asio::awaitable<result<item_page>> list_memories(services& s, const caller& who,
                                                        item_filter filter, std::string cursor,
                                                        std::size_t limit);

struct memory_search {
  std::string query;
  item_filter filter{};
  std::size_t limit = 20;
  std::int64_t at = 0;             // as of which change; 0: now
  std::vector<std::string> ids{};  // in place of a query
  // In place of both: what the next turn of this session would be told, judging by what its context
  // holds. That is left out.
  std::optional<session_id> context_of{};
  std::vector<std::string> held_message_ids{};
};
struct found_memories {
  std::vector<memory::found_item> items;
  bool degraded = false;
  std::string why;
  std::int64_t as_of = 0;
  bool approximate = false;
};
boost::asio::awaitable<result<found_memories>> search_memories(services& s, const caller& who,
                                                               memory_search asked);
// As a turn is told of them: of those that say the same the best alone, no session before others.
// Of a context window policy is asked for conversation.read, too.
boost::asio::awaitable<result<found_memories>> recall_memories(services& s, const admitted& in,
                                                               memory_search asked);

// Turns that were told of it, newest first. Errors: storage.unavailable while not all are known.
using memory::use_page;
boost::asio::awaitable<result<use_page>> list_memory_uses(services& s, const caller& who,
                                                          std::string id, std::string cursor,
                                                          std::size_t limit);

boost::asio::awaitable<result<shown_memory>> find_memory(services& s, const caller& who,
                                                         std::string id);
boost::asio::awaitable<result<answered<shown_memory>>> add_memory(services& s, admitted& in,
                                                                  once_key once, memory_note note);
boost::asio::awaitable<result<shown_memory>> change_memory(services& s, const admitted& in,
                                                           std::string id, memory_change change,
                                                           std::string if_match);
boost::asio::awaitable<result<void>> forget_memory(services& s, const admitted& in, std::string id,
                                                   std::string if_match);

// Keeps the passages of an attachment as knowledge, once; waits for all of it. Policy is asked for
// attachment.read, too. Errors: attachment.*, request.invalid about attachment_id for what no text
// can be taken out of, quota.exceeded, server.busy while others are imported.
boost::asio::awaitable<result<answered<tools::kept_document>>> import_document(
    services& s, admitted& in, once_key once, std::string attachment_id);
// As it is shown, and kept for a key.
std::string imported_json(const tools::kept_document& kept);
// 201 where it is new.
int imported_status(const tools::kept_document& kept);

// What is kept of documents, in the order of their attachments' ids.
using memory::document_page;
boost::asio::awaitable<result<document_page>> list_documents(services& s, const caller& who,
                                                             std::string cursor, std::size_t limit);
// Deletes what is kept of one; the attachment stays. Gives how many passages went. Errors:
// memory.not_found, server.busy while other documents are being forgotten.
boost::asio::awaitable<result<std::size_t>> forget_document(services& s, const admitted& in,
                                                            std::string attachment_id);

struct told_memory_status {
  memory::memory_status here;
  outgoing_figures away;  // of SomaBrain
  memory::replica_figures followed;
};
boost::asio::awaitable<result<told_memory_status>> read_memory_status(services& s,
                                                                      const caller& who);

// All that is remembered, newest first, an item a line. `line`: renders one. Errors:
// storage.unavailable while not all can be found, also in the midst of it; server.busy.
boost::asio::awaitable<result<std::shared_ptr<piece_source>>> export_memories(
    services& s, const caller& who, std::function<void(std::string&, const memory_item&)> line);

}  // namespace soma::app
