// base/precompiled.h: headers that most files include, compiled once for the builds of tests (SAN=1, FUZZ=1). No
// file includes this one: the ordinary build, which does without it, shows that each file includes
// what it uses.
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
