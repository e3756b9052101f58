# Builds with clang: version 19 where it is installed, else the system's default.
find_program(BRIGADE_CLANG NAMES clang-19 clang REQUIRED)
find_program(BRIGADE_CLANGXX NAMES clang++-19 clang++)
set(CMAKE_C_COMPILER ${BRIGADE_CLANG})
if(BRIGADE_CLANGXX)
  set(CMAKE_CXX_COMPILER ${BRIGADE_CLANGXX})
endif()
