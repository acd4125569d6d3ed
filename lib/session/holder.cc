#include "session/holder.h"

namespace session {

struct Holder::Pipes {
  fd::Pair in = fd::pipe();
  fd::Pair out = fd::pipe();
};

Holder::Holder(const Record& asked) : Holder(asked, Pipes{}) {}

Holder::Holder(const Record& asked, Pipes pipes)
    : Privileged("asp-pinhole", pipes.in.read.get(), pipes.out.write.get(), std::move(pipes.out.read)),
      in_(std::move(pipes.in.write)) {
  io::write_all(in_.get(), asked.text());
}

void Holder::choose(const std::string& host, const std::string& address) {
  Record chosen;
  chosen.add("host", host);
  chosen.add("address", address);
  io::write_all(in_.get(), chosen.text());
}

}  // namespace session
