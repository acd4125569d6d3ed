// cluster/redis_password: the password of Redis, as root keeps it in <redis_password_file>.
#pragma once

#include <string>
#include <string_view>

namespace redis {

// What the file holds; it must belong to the caller and be for them alone. Failure{78}.
std::string password_in(const std::string& path);
// 1 to 128 letters, digits and any of -_.+/=, so that it needs no quotes anywhere.
bool is_password(std::string_view text);

}  // namespace redis
