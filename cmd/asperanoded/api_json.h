// api_json: the bodies of the node API's answers.
#pragma once

#include <string>
#include <vector>

#include "base/record.h"
#include "config/config.h"
#include "lease/lease.h"

namespace asperanoded {
namespace api_json {

// Parses asp-lease's answer: the record without answer= and tag=. Failure{65}.
lease::Lease lease_of(const Record& answer);

std::string lease(const lease::Lease& lease);
std::string leases(const std::vector<lease::Lease>& leases);
std::string info(const config::Proxy& proxy, const std::string& version);

}  // namespace api_json
}  // namespace asperanoded
