#include <algorithm>
#include <boost/json.hpp>
#include <cctype>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "security/policy/decision_source.hpp"
#include "security/policy/question.hpp"

namespace soma::security {
namespace {

namespace json = boost::json;

constexpr std::size_t checks_max = 50;  // of one batch, as the server has it

error unreadable(std::string why) {
  return {codes::dependency_unavailable, std::move(why)};
}

std::string named(std::string_view type, std::string_view id) {
  return std::string(type) + ":" + openfga_name(id);
}

// Sessions and tools are things of the model; all else is judged as of the tenant.
std::string object_of(const policy_input& in) {
  const auto type = resource_type(in.action);
  const bool is_thing = !in.resource.empty() && (type == "session" || type == "tool");
  return is_thing ? named(type, in.resource) : named("tenant", in.tenant);
}

std::string relation_of(std::string_view action) {
  std::string out = "can_" + std::string(action);
  std::replace(out.begin(), out.end(), '.', '_');
  return out;
}

void write_tuple(json_writer& w, std::string_view user, std::string_view relation,
                 std::string_view object) {
  w.begin_object().field("user", user).field("relation", relation);
  w.field("object", object).end_object();
}

// What we know ourselves goes with the question, so that nothing has to be written before it.
void write_known(json_writer& w, const policy_input& in) {
  const auto user = named("user", in.user), tenant = named("tenant", in.tenant);
  const auto object = object_of(in);
  w.key("contextual_tuples").begin_object().key("tuple_keys").begin_array();
  write_tuple(w, user, "member", tenant);
  if (in.role == "admin" || in.role == "internal") write_tuple(w, user, in.role, tenant);
  for (const auto& group : in.groups)
    write_tuple(w, user, "member", "group:" + openfga_name(in.tenant) + "/" + openfga_name(group));
  if (object != tenant) write_tuple(w, tenant, "tenant", object);
  if (object.starts_with("session:")) {
    if (in.owner && *in.owner == in.user) write_tuple(w, user, "owner", object);
    if (in.shared) {
      const auto& with = in.shared->users;
      if (in.shared->visible_to_tenant) write_tuple(w, tenant + "#member", "viewer", object);
      if (std::find(with.begin(), with.end(), in.user) != with.end())
        write_tuple(w, user, "viewer", object);
    }
  }
  w.end_array().end_object();
}

void write_check(json_writer& w, const policy_input& in) {
  w.key("tuple_key").begin_object().field("user", named("user", in.user));
  w.field("relation", relation_of(in.action)).field("object", object_of(in)).end_object();
  write_known(w, in);
}

decision decision_of(bool allowed, const policy_input& in) {
  if (allowed) return {true, "openfga", {}, false};
  return {false, "openfga",
          named("user", in.user) + " has no relation " + relation_of(in.action) + " to " +
              object_of(in),
          false};
}

// null: it is not one.
const bool* allowed_in(const json::value* check) {
  if (!check || !check->is_object()) return nullptr;
  const auto* allowed = check->get_object().if_contains("allowed");
  return allowed ? allowed->if_bool() : nullptr;
}

class openfga final : public decision_source {
 public:
  explicit openfga(openfga_store where) : where_(std::move(where)) {}

  std::string_view name() const override { return "openfga"; }
  std::size_t batch_max() const override { return checks_max; }
  std::string path(std::size_t questions) const override {
    return "/stores/" + where_.store_id + (questions > 1 ? "/batch-check" : "/check");
  }

  std::string body(std::span<const policy_input> asked, std::int64_t) const override {
    std::string out;
    json_writer w(out);
    w.begin_object().field_if("authorization_model_id", where_.model_id);
    if (asked.size() == 1) {
      write_check(w, asked.front());
    } else {
      w.key("checks").begin_array();
      for (std::size_t i = 0; i < asked.size(); ++i) {
        w.begin_object().field("correlation_id", std::to_string(i));
        write_check(w, asked[i]);
        w.end_object();
      }
      w.end_array();
    }
    w.end_object();
    return out;
  }

  result<std::vector<decision>> read(std::string_view body,
                                     std::span<const policy_input> asked) const override {
    boost::system::error_code ec;
    const auto whole = json::parse({body.data(), body.size()}, ec);
    if (ec || !whole.is_object()) return unreadable("OpenFGA's answer is not JSON");
    std::vector<decision> out;
    if (asked.size() == 1) {
      const auto* allowed = allowed_in(&whole);
      if (!allowed) return unreadable("OpenFGA's answer has no boolean `allowed`");
      out.push_back(decision_of(*allowed, asked.front()));
      return out;
    }
    const auto* all = whole.get_object().if_contains("result");
    if (!all || !all->is_object()) return unreadable("OpenFGA's answer has no `result`");
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const auto* allowed = allowed_in(all->get_object().if_contains(std::to_string(i)));
      if (!allowed) return unreadable("OpenFGA did not answer each check");
      out.push_back(decision_of(*allowed, asked[i]));
    }
    return out;
  }

 private:
  const openfga_store where_;
};

}  // namespace

std::string openfga_name(std::string_view id) {
  constexpr std::string_view digits = "0123456789ABCDEF", apart = ":#*%/";
  std::string out;
  for (const char c : id) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && apart.find(c) == apart.npos) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(digits[byte >> 4]);
      out.push_back(digits[byte & 15]);
    }
  }
  return out;
}

std::unique_ptr<decision_source> make_openfga(openfga_store where) {
  return std::make_unique<openfga>(std::move(where));
}

}  // namespace soma::security
