// base/precompiled.h: headers that most files include, compiled once for a build. No file includes this
// one: a build with g++ 14 or later, which does without it, shows that each file includes what it uses.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/core.h>
