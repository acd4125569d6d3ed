#include "resolver.h"

#include <atomic>
#include <memory>

#include "base/resolve.h"

namespace asperanoded {
namespace {

constexpr unsigned kThreads = 8;
constexpr std::size_t kQueue = 32;

std::vector<IpAddress> ask(const std::string& name) {
  try {
    return resolve::addresses(name);
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace

Resolver::Resolver(Timer& timer) : timer_(timer), workers_(kThreads, kQueue) {}

bool Resolver::resolve(const std::string& name, Done done) {
  const auto told = std::make_shared<std::atomic<bool>>(false);
  const auto once = [told, done = std::move(done)](std::vector<IpAddress> addresses) {
    if (!told->exchange(true)) done(std::move(addresses));
  };
  if (!workers_.post([name, told, once] {
        if (!*told) once(ask(name));
      })) {
    return false;
  }
  timer_.after(kPatience, [once] { once({}); });
  return true;
}
}  // namespace asperanoded
