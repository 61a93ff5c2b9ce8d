// The security folder's documents, kept in the event log's store. Thread-safe; blocks on the disk.
#pragma once

#include "security/api_keys.hpp"
#include "security/authenticator.hpp"
#include "security/browser_sessions.hpp"
#include "security/document_store.hpp"
#include "security/server_key.hpp"
#include "security/ticket.hpp"
#include "storage/event_log.hpp"

namespace soma {

class store_documents final : public security::document_store {
 public:
  static constexpr std::size_t listed_max = 100'000;

  explicit store_documents(storage::event_log& log) : log_(log) {}

  result<std::optional<std::string>> get(std::string_view collection,
                                         std::string_view key) override {
    return log_.get_document(collection, key);
  }
  result<void> put(std::string_view collection, std::string_view key,
                   std::string_view document) override {
    return log_.put_document(collection, key, document);
  }
  result<void> remove(std::string_view collection, std::string_view key) override {
    return log_.delete_document(collection, key);
  }
  result<std::vector<std::pair<std::string, std::string>>> list(
      std::string_view collection) override {
    return log_.list_documents(collection, "", listed_max);
  }

 private:
  storage::event_log& log_;
};

}  // namespace soma
