// The security folder's documents, kept in the event log's store. Thread-safe; blocks on the disk.
#pragma once

#include "core/codes.hpp"
#include "security/document_store.hpp"
#include "security/identity/api_keys.hpp"
#include "security/identity/authenticator.hpp"
#include "security/identity/browser_sessions.hpp"
#include "security/identity/server_key.hpp"
#include "security/identity/ticket.hpp"
#include "storage/documents.hpp"
#include "storage/event_log.hpp"

namespace soma {

class store_documents final : public security::document_store {
 public:
  explicit store_documents(storage::event_log& log) : log_(log) {}

  result<std::optional<std::string>> get(std::string_view collection,
                                         std::string_view key) override {
    return log_.get_document(collection, key);
  }
  result<void> put(std::string_view collection, std::string_view key,
                   std::string_view document) override {
    return log_.put_document(collection, key, document);
  }
  result<bool> replace(std::string_view collection, std::string_view key, std::string_view read,
                       std::string_view document) override {
    storage::row_batch batch;
    batch.expected.push_back({std::string(collection), std::string(key), std::string(read)});
    batch.documents.push_back({std::string(collection), std::string(key), std::string(document)});
    return log_.write_rows(batch);
  }
  result<void> remove(std::string_view collection, std::string_view key) override {
    return log_.delete_document(collection, key);
  }
  result<std::vector<std::pair<std::string, std::string>>> list(
      std::string_view collection) override {
    std::vector<std::pair<std::string, std::string>> all;
    const auto take = [&](std::string& key, std::string& document) -> result<void> {
      all.emplace_back(std::move(key), std::move(document));
      return {};
    };
    if (auto read = storage::each_document(log_, collection, "", take); !read) return read.error();
    return all;
  }

 private:
  storage::event_log& log_;
};

// The server's key of a data folder, made where there is none and none is missed. Error:
// config.invalid, where the store holds what a new key would make void.
inline result<secret_string> server_key_of(const std::string& data_dir,
                                           const storage::event_log& log) {
  if (!security::has_server_key(data_dir))
    for (const auto* collection : {"keys", "browser_sessions"}) {
      const auto depends = log.list_documents(collection, "", 1);
      if (!depends) return depends.error();
      if (!depends->empty())
        return error(
            codes::config_invalid,
            security::server_key_file(data_dir) +
                " is missing, and API keys and sign-ins depend on it: bring it back from a "
                "backup, or make them all void with 'soma key void'");
    }
  return security::load_server_key(data_dir);
}

}  // namespace soma
