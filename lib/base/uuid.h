// base/uuid: unique names, for sessions, leases and the like.
//
//   3a9fd819-59c3-42bc-b0a2-d26304a1eb84
#pragma once

#include <string>
#include <string_view>

namespace uuid {

// From the kernel (random(4), /proc/sys/kernel/random/uuid). Failure{71}.
std::string random();
// 8-4-4-4-12 lower-case hexadecimal digits.
bool is_valid(std::string_view text);

}  // namespace uuid
