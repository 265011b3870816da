/* For an inclusion of messages.def that wants the messages and not their fields. */
#define F_U8(m, field)
#define F_U32(m, field)
#define F_U64(m, field)
#define F_I64(m, field)
#define F_STR(m, field, most)
#define F_BLOB(m, field, most)
#define F_SECRET(m, field, most)
#define END(name)
