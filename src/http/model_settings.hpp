// The model in use: what the configuration says, overridden by what an admin stored. One document
// for the server; the API key in it is sealed under auth.enc_key.
//
// Thread-safe. apply_stored and update block on the store; call them at start or on the reader
// pool.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "actors/node.hpp"
#include "core/config.hpp"
#include "core/secret.hpp"

namespace soma::http {

struct model_override {  // an empty member: the configuration counts
  std::string base_url, model, sealed_key;
};

struct model_view {
  std::string base_url, model;
  bool has_key = false;
};

struct model_change {
  std::optional<std::string> base_url, model, api_key;  // "" takes the stored value away
};

class model_settings_store {
 public:
  model_settings_store(const config& settings, actors::node_services& node)
      : settings_(settings), node_(node) {}

  // Errors: config.invalid (a bad key or URL), storage.corrupt (a secret that does not open).
  result<void> apply_stored();
  // Errors: secret.key_missing, request.invalid, those of the store.
  result<model_view> update(const model_change& change);
  model_view view() const;
  // The provider says itself that it is no model.
  bool rehearsal() const;

 private:
  result<actors::model_settings> build(const model_override& stored) const;
  result<void> store(const model_override& changed);

  const config& settings_;
  actors::node_services& node_;
  mutable std::mutex mutex_;
  model_override stored_;
};

}  // namespace soma::http
