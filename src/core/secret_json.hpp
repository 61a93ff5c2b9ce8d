// JSON that holds a secret somewhere in it.
#pragma once

#include <boost/json/value.hpp>

#include "core/secret.hpp"

namespace soma {

// Zeroes every text of it, however deep. The names of members stay.
inline void wipe(boost::json::value& value) {
  if (auto* text = value.if_string()) {
    wipe(text->data(), text->size());
  } else if (auto* object = value.if_object()) {
    for (auto& member : *object) wipe(member.value());
  } else if (auto* array = value.if_array()) {
    for (auto& one : *array) wipe(one);
  }
}

// A copy that is wiped with its last holder.
class secret_json {
 public:
  explicit secret_json(boost::json::value value) : value_(std::move(value)) {}
  ~secret_json() { wipe(value_); }
  secret_json(const secret_json&) = delete;
  secret_json& operator=(const secret_json&) = delete;

  const boost::json::value& reveal() const { return value_; }

 private:
  boost::json::value value_;
};

}  // namespace soma
