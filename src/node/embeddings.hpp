// Texts as vectors by the profile with role `embed`, through the gateway: with its caps, its audit
// and its count of usage.
//
// Thread-safe. Lifetime: the models outlive it, and it outlives its calls.
#pragma once

#include "memory/embedder.hpp"
#include "node/models.hpp"

namespace soma {

class node_embeddings final : public memory::embedder {
 public:
  explicit node_embeddings(node_models& models) : models_(models) {}

  std::string model_of(const tenant_id& tenant) const override;
  std::unique_ptr<memory::embedding_call> begin(const tenant_id& tenant, const user_id& user,
                                                std::vector<std::string> texts, int ms) override;

 private:
  node_models& models_;
};

}  // namespace soma
