// The memory that large things from outside may take in all, such as bodies that are being read or
// served, or documents of providers: a sum that no number of clients can pass, of which one tenant
// gets no more than half. Small ones are not counted: something else bounds their number.
//
// Thread-safe; a short lock whenever one grows or goes. Outlived by nothing: shares hold it.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace soma {

class byte_budget : public std::enable_shared_from_this<byte_budget> {
 public:
  explicit byte_budget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // What one of them holds of the budget; given back with it. Used by one thread at a time.
  class share {
   public:
    share() = default;
    share(share&& other) noexcept
        : of_(std::move(other.of_)),
          tenant_(std::move(other.tenant_)),
          bytes_(std::exchange(other.bytes_, 0)) {}
    share& operator=(share&& other) noexcept {
      release();
      of_ = std::move(other.of_);
      tenant_ = std::move(other.tenant_);
      bytes_ = std::exchange(other.bytes_, 0);
      return *this;
    }
    ~share() { release(); }

    std::size_t bytes() const { return bytes_; }
    void release();
    void shrink(std::size_t bytes);  // to so many, no more than it was

   private:
    friend class byte_budget;
    std::shared_ptr<byte_budget> of_;
    std::string tenant_;
    std::size_t bytes_ = 0;
  };

  // Makes `held` one of `bytes`, no less than it was. False, and nothing changed, where the budget
  // or the tenant's half of it does not allow that; an empty tenant is nobody in particular.
  bool grow(share& held, std::string_view tenant, std::size_t bytes);

  // The same for an answer, whose size its request did not say: one that is larger than the
  // tenant's half has its turn where the tenant holds nothing else and something is left.
  bool grow_for_answer(share& held, std::string_view tenant, std::size_t bytes);
  // Counts what is there already and cannot be refused, past the bound too.
  void count(share& held, std::string_view tenant, std::size_t bytes);

  std::size_t bytes_held() const;
  // What is larger has no room ever, whatever others hold: asking again is of no use.
  std::size_t tenant_bytes_max() const { return bytes_max_ / 2; }

 private:
  std::size_t theirs(std::string_view tenant) const;
  void take(share& held, std::string_view tenant, std::size_t bytes);

  const std::size_t bytes_max_;
  mutable std::mutex mutex_;
  std::size_t held_ = 0;
  std::map<std::string, std::size_t, std::less<>> by_tenant_;
};

}  // namespace soma
