#include "refusal.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace asperanoded {
namespace refusal {
namespace {

// All codes, including those of asp-lease; etc/node-api.openapi.yaml and asperanoded(8) have the same.
struct Row {
  std::string_view code;
  int status;
};
constexpr Row kTable[] = {
    {"bad_request", 400},
    {"unauthorized", 401},
    {"forbidden", 403},
    {"destination_denied", 403},
    {"other_address", 403},
    {"not_found", 404},
    {"method_not_allowed", 405},
    {"payload_too_large", 413},
    {"unsupported_media_type", 415},
    {"unresolvable", 422},
    {"too_many_leases", 429},
    {"ports_exhausted", 503},
    {"stopped", 503},
    {"drained", 503},
    {"busy", 503},
    {"standby", 503},
    {"store_unavailable", 503},
    {"internal", 500},
};

}  // namespace

int status_of(std::string_view code) {
  const auto* found =
      std::find_if(std::begin(kTable), std::end(kTable), [&](const Row& row) { return row.code == code; });
  return found == std::end(kTable) ? 500 : found->status;
}

node_api::Answer answer(const Refusal& refusal) {
  node_api::Answer answer;
  answer.status = status_of(refusal.code());
  const nlohmann::ordered_json body{{"error", {{"code", refusal.code()}, {"message", refusal.what()}}}};
  answer.body = body.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (answer.status == 401) answer.headers.emplace_back("WWW-Authenticate", "Basic realm=\"sallyport\"");
  if (answer.status == 503) answer.headers.emplace_back("Retry-After", "5");
  return answer;
}

}  // namespace refusal
}  // namespace asperanoded
