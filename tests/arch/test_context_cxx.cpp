// C++ on contexts: an exception thrown, caught and thrown again within one, with others in between.
extern "C" {
#include "arch/context.h"
}

#include <criterion/criterion.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace
{
struct body {
    bgi_context home{}, ctx{};
    std::vector<char> stack = std::vector<char>(256 * 1024);
    std::string caught;
    int unwound = 0;
    int depth = 0;
};

struct guard {
    int *count;
    explicit guard(int *c) : count(c) {}
    ~guard() { ++*count; }
};

BGI_NOINLINE void dive(body *b, int depth)
{
    guard g(&b->unwound);
    bgi_context_switch(&b->ctx, &b->home);
    if (depth == 0)
        throw std::runtime_error("from " + std::to_string(b->depth));
    dive(b, depth - 1);
}

BGI_NOINLINE void run(body *b)
{
    try {
        try {
            dive(b, b->depth);
        } catch (const std::logic_error &) {
            b->caught = "wrong handler";
        }
    } catch (const std::exception &e) {
        b->caught = e.what();
    }
}

BGI_CONTEXT_ENTRY void entry(void *arg)
{
    body *b = static_cast<body *>(arg);
    run(b);
    bgi_context_switch_final(&b->ctx, &b->home);
}
} // namespace

Test(context_cxx, exceptions_stay_on_their_context)
{
    body bodies[3];
    for (int i = 0; i < 3; i++) {
        body *b = &bodies[i];
        b->depth = 5 + i;
        bgi_context_adopt(&b->home);
        bgi_context_init(&b->ctx, b->stack.data(), b->stack.size(), entry, b);
    }
    for (int round = 0; round < 7; round++) {
        for (body &b : bodies) {
            if (round <= b.depth)
                bgi_context_switch(&b.home, &b.ctx);
        }
    }
    for (body &b : bodies) {
        while (b.caught.empty())
            bgi_context_switch(&b.home, &b.ctx);
        cr_assert_eq(b.caught.compare("from " + std::to_string(b.depth)), 0);
        cr_assert_eq(b.unwound, b.depth + 1);
        bgi_context_fini(&b.ctx);
        bgi_context_fini(&b.home);
    }
}
