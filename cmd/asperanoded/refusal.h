// refusal: a "no" of the node API: a code that programs understand, and a
// sentence for people.
//
//   {"error":{"code":"destination_denied","message":"…"}}
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "http/node_api.h"

namespace asperanoded {

class Refusal : public std::runtime_error {
 public:
  Refusal(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

namespace refusal {

// The HTTP status of `code`; 500 for one that is not in the table.
int status_of(std::string_view code);

// The answer with the headers that belong to its status.
node_api::Answer answer(const Refusal& refusal);

}  // namespace refusal
}  // namespace asperanoded
