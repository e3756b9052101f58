/* What the two files of Boost.Fiber's side share. */
#ifndef BM_BOOST_FIBER_HPP
#define BM_BOOST_FIBER_HPP

#include "../../micro/measure.h"

#include <atomic>
#include <boost/fiber/algo/work_stealing.hpp>
#include <boost/fiber/all.hpp>
#include <boost/fiber/pooled_fixedsize_stack.hpp>
#include <mutex>
#include <thread>
#include <vector>

namespace fib = boost::fibers;

/* The other worker: joins the stealing and lives until the measuring is over. */
struct second_worker {
    fib::mutex lock;
    fib::condition_variable end;
    bool over = false;
    std::thread thread;

    second_worker()
    {
        thread = std::thread([this] {
            fib::use_scheduling_algorithm<fib::algo::work_stealing>(2, true);
            std::unique_lock<fib::mutex> hold(lock);
            end.wait(hold, [this] { return over; });
        });
        fib::use_scheduling_algorithm<fib::algo::work_stealing>(2, true);
    }
    ~second_worker()
    {
        {
            std::unique_lock<fib::mutex> hold(lock);
            over = true;
        }
        end.notify_all();
        thread.join();
    }
};

int ping_pong(int argc, char **argv);
int fan(int argc, char **argv);
int mutex(int argc, char **argv);
int mutex_contended(int argc, char **argv);
int scope(int argc, char **argv);
int group(int argc, char **argv);

#endif
