/* After each inclusion of messages.def: the next one defines its own. */
#undef MESSAGE
#undef F_U8
#undef F_U32
#undef F_U64
#undef F_I64
#undef F_STR
#undef F_BLOB
#undef F_SECRET
#undef END
