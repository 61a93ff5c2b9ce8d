// What a foreign JSON text would cost to read into Boost.JSON's values, told before it is read.
// Pure; thread-safe; linear in the text.
//
// Boost.JSON keeps an object's members in a hash table whose hash others can compute (FNV-1a, with
// an address as its salt, in buckets as many as members): many members in one bucket cost their
// number squared. So an object has a bound, and what has more members is refused unread.
#pragma once

#include <boost/json/parse_options.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <string_view>

namespace soma {

struct json_shape {
  std::size_t members = 0;  // of all objects; a member named twice counts twice
  bool too_wide = false;  // an object has more than limits::json_object_members_max: not looked on
};

// Of a text that is no JSON, as far as it is.
json_shape json_shape_of(std::string_view text);

// Of all objects of a value: fewer than its text has where a member is named twice, since
// Boost.JSON keeps the last: two readers could see two values. As deep as the parser went.
std::size_t json_members_of(const boost::json::value& value);

// As Boost.JSON reads it; json::error::object_too_large where an object is too wide. For every text
// that comes from outside: bodies, providers, servers of tools, models.
boost::json::value parse_foreign_json(std::string_view text, boost::system::error_code& ec,
                                      const boost::json::parse_options& options = {},
                                      boost::json::storage_ptr memory = {});

// The second half of the shape alone; tells most texts by counting their colons.
bool json_too_wide(std::string_view text);

}  // namespace soma
