// cluster/redis_password: the password of Redis, which root keeps in <redis_password_file>.
#pragma once

#include <string>
#include <string_view>

namespace redis {

// The password in the file, which must belong to the caller and be readable by the caller alone.
// Failure{78}.
std::string password_in(const std::string& path);
// True for 1 to 128 letters, digits and any of -_.+/=, so that it needs no quotes anywhere.
bool is_password(std::string_view text);

}  // namespace redis
