#include "llm/document_parser.hpp"

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>

#include "core/codes.hpp"
#include "llm/provider_limits.hpp"

namespace soma::llm {
namespace {

namespace json = boost::json;

// The few members that are looked at; everything else is stepped over. A list of objects is looked
// at as each of them: some providers put an error into one.
struct scan_handler {
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using ec_t = json::error_code;
  using sv = json::string_view;

  bool has_data = false, has_error = false, of_objects = true;
  std::string message, type, code;  // of the error
  double prompt_tokens = 0;

  bool on_document_begin(ec_t&) { return true; }
  bool on_document_end(ec_t&) { return true; }
  bool on_object_begin(ec_t&) {
    if (depth_ == top_) {
      in_.clear();
      if (member_ == "error" || member_ == "usage") in_ = member_;
      has_error = has_error || in_ == "error";
    }
    ++depth_;
    return true;
  }
  bool on_object_end(std::size_t, ec_t&) { return up(); }
  bool on_array_begin(ec_t&) {
    if (depth_ == 0)
      top_ = 2;
    else
      on_value();
    if (depth_ == top_ && member_ == "data") has_data = true;
    ++depth_;
    return true;
  }
  bool on_array_end(std::size_t, ec_t&) { return up(); }
  bool on_key_part(sv part, std::size_t, ec_t&) {
    if (depth_ <= top_ + 1) keep(key_, part, name_bytes_max);
    return true;
  }
  bool on_key(sv part, std::size_t, ec_t&) {
    if (depth_ > top_ + 1) return true;
    keep(key_, part, name_bytes_max);
    (depth_ == top_ ? member_ : inner_) = key_;
    key_.clear();
    return true;
  }
  bool on_string_part(sv part, std::size_t, ec_t&) {
    if (auto* text = wanted_text()) keep(*text, part, limits::error_body_bytes_max);
    return true;
  }
  bool on_string(sv part, std::size_t n, ec_t& ec) {
    on_value();
    return on_string_part(part, n, ec);
  }
  bool on_number_part(sv, ec_t&) { return true; }
  bool on_int64(std::int64_t n, sv, ec_t&) { return on_number(static_cast<double>(n)); }
  bool on_uint64(std::uint64_t n, sv, ec_t&) { return on_number(static_cast<double>(n)); }
  bool on_double(double n, sv, ec_t&) { return on_number(n); }
  bool on_bool(bool, ec_t&) { return on_value(); }
  bool on_null(ec_t&) { return on_value(); }
  bool on_comment_part(sv, ec_t&) { return true; }
  bool on_comment(sv, ec_t&) { return true; }

 private:
  static constexpr std::size_t name_bytes_max = 16;  // longer than any that is looked for

  static void keep(std::string& text, sv part, std::size_t bytes_max) {
    const auto room = bytes_max - std::min(bytes_max, text.size());
    text.append(part.data(), std::min(part.size(), room));
  }
  bool up() {
    if (--depth_ == top_) in_.clear();
    return true;
  }
  // One that is no object, where only objects may be.
  bool on_value() {
    if (depth_ < top_) of_objects = false;
    return true;
  }
  bool on_number(double n) {
    if (depth_ == top_ + 1 && in_ == "usage" && inner_ == "prompt_tokens") prompt_tokens = n;
    return on_value();
  }
  std::string* wanted_text() {
    if (depth_ != top_ + 1 || in_ != "error") return nullptr;
    return inner_ == "message" ? &message
           : inner_ == "type"  ? &type
           : inner_ == "code"  ? &code
                               : nullptr;
  }

  std::size_t depth_ = 0, top_ = 1;   // inside of how many values; where the document's members are
  std::string key_, member_, inner_;  // the one that comes; the one one is in; the same inside it
  std::string in_;                    // the member whose own members are looked at
};

}  // namespace

class document_scan {
 public:
  const scan_handler& found() const { return parser_.handler(); }

  // False once it is no JSON.
  bool add(std::string_view bytes) {
    if (!parser_.done() && good_) {
      json::error_code ec;
      const auto read = parser_.write_some(true, bytes.data(), bytes.size(), ec);
      good_ = !ec;
      bytes.remove_prefix(read);
    }
    if (bytes.find_first_not_of(" \t\r\n") != bytes.npos) good_ = false;
    return good_;
  }
  bool whole() const { return good_ && parser_.done() && found().of_objects; }

 private:
  // Strict about UTF-8: what is passed on as it is has to be JSON for others, too.
  json::basic_parser<scan_handler> parser_{json::parse_options{}};
  bool good_ = true;
};

document_parser::document_parser(on_piece piece, clean_text clean, bool has_data, bool in_pieces)
    : answer_parser(std::move(piece), std::move(clean)),
      has_data_(has_data),
      scan_(in_pieces ? std::make_unique<document_scan>() : nullptr) {}

document_parser::~document_parser() = default;

void document_parser::on_document_piece(std::string_view bytes) {
  if (over() || scan_->add(bytes)) return;
  fail({std::string(codes::llm_bad_stream), "the provider sent what is not JSON", true});
}

void document_parser::on_document_end() {
  if (over()) return;
  const auto& found = scan_->found();
  if (!scan_->whole())
    return fail({std::string(codes::llm_bad_stream), "the provider sent what is not JSON", true});
  if (found.has_error) return provider_failed(0, found.message, found.type, found.code);
  if (has_data_ && !found.has_data)
    return fail({"llm.bad_stream", "the provider's document has no data", true});
  if (found.prompt_tokens > 0)
    usage_.prompt_tokens = static_cast<std::uint64_t>(
        std::min(found.prompt_tokens, static_cast<double>(limits::tokens_max)));
  succeed();
}

void document_parser::on_object(const json::object& document) {
  if (const auto* error = object_member(document, "error"))
    return provider_failed(0, string_member(*error, "message"), string_member(*error, "type"),
                           string_member(*error, "code"));
  if (has_data_ && !array_member(document, "data"))
    return fail({"llm.bad_stream", "the provider's document has no data", true});
  if (const auto* usage = object_member(document, "usage"))
    usage_.prompt_tokens = count_member(*usage, "prompt_tokens");
  succeed();
}

void document_parser::succeed() {
  finish_reason_ = "stop";
  done_ = true;
}

}  // namespace soma::llm
